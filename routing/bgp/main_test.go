package bgp_test

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", tests); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
