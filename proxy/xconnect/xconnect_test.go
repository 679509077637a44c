// The test is external and must be: an import of net/http by a test inside the package would be the package's own, which
// would then come after net/http.
package xconnect_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	_ "github.com/anyedge/anyedge/proxy/xconnect"
)

// asked tells a second process of this test binary to print what it finds in the environment, and end.
const asked = "XCONNECT_TEST_PRINTS"

func TestMain(m *testing.M) {
	if os.Getenv(asked) != "" {
		fmt.Print(os.Getenv("GODEBUG"))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestEnvironment(t *testing.T) {
	for value, want := range map[string]string{
		"":                             "http2xconnect=1",
		"gctrace=0":                    "gctrace=0,http2xconnect=1",
		"http2xconnect=1":              "http2xconnect=1",
		"http2xconnect=0":              "http2xconnect=0",
		"http2xconnect=0,http2debug=0": "http2xconnect=0,http2debug=0",
	} {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), asked+"=yes", "GODEBUG="+value)
		got, err := c.Output()
		if err != nil || string(got) != want {
			t.Errorf("%q: %q, %v, want %q", value, got, err, want)
		}
	}
}
