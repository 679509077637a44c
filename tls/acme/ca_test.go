package acme_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/anyedge/anyedge/tls/acme"
	"github.com/anyedge/anyedge/tls/acme/acmetest"
)

// authority is one under test.
type authority struct{ *acmetest.CA }

// startCA starts an authority that reaches all names at f's ports.
func startCA(t *testing.T, f *front, o acmetest.Options) *authority {
	t.Helper()
	o.HTTPPort, o.TLSPort, o.Resolver = f.httpPort(), f.tlsPort(), f.names.Address()
	return &authority{acmetest.Start(t, o)}
}

// option is the authority as it is configured.
func (a *authority) option() acme.Authority {
	return acme.Authority{Directory: a.Directory(), RootFile: a.RootFile()}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, text, 0o600))
}
