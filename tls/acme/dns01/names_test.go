package dns01_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/anyedge/anyedge/tls/acme/acmetest"
	"github.com/anyedge/anyedge/tls/acme/dns01"
)

// options are those of zones that p has.
func options(t *testing.T, p *acmetest.Primary, zones ...string) dns01.Options {
	t.Helper()
	var o dns01.Options
	o.SetDefaults()
	o.Zones, o.Provider, o.Server, o.NameServers = zones, dns01.RFC2136, p.Address(), []string{p.Address()}
	o.KeyFile = writeFile(t, "key", acmetest.TSIGKey)
	return o
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
