package acme_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets more tests run at once than there are CPUs, since they mostly wait for an authority. -parallel has precedence.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
