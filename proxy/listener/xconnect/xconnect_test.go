// The test is external and must be: an import of net/http by a test inside the package would be the package's own, which
// would then come after net/http.
package xconnect_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	_ "github.com/anyedge/anyedge/proxy/listener/xconnect"
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

// The proof that this package comes before net/http: a server that knows nothing of it offers extended CONNECT.
func TestServerOffersExtendedConnect(t *testing.T) {
	if !strings.Contains(os.Getenv("GODEBUG"), "http2xconnect=1") {
		t.Skip("turned off in the environment: ", os.Getenv("GODEBUG"))
	}
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	config := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"h2"}
	c, err := tls.Dial("tcp", s.Listener.Addr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(c, c)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	f, err := framer.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings, ok := f.(*http2.SettingsFrame)
	if !ok {
		t.Fatalf("%v first, want SETTINGS", f)
	}
	if v, ok := settings.Value(http2.SettingEnableConnectProtocol); !ok || v != 1 {
		t.Errorf("SETTINGS_ENABLE_CONNECT_PROTOCOL: %d, %t", v, ok)
	}
}
