package acme_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/tls/acme"
	"github.com/anyedge/anyedge/tls/acme/acmetest"
	"github.com/anyedge/anyedge/tls/acme/dns01"
)

// TestWildcard: a wildcard and a name below a zone are obtained by DNS alone, with a node that no authority reaches; a name
// elsewhere goes on as ever. Nothing of the key is told, and no record is left.
func TestWildcard(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	_ = f.http.Close()
	p := acmetest.StartPrimary(t)
	ca := acmetest.Start(t, acmetest.Options{HTTPPort: f.httpPort(), TLSPort: f.httpPort(), Resolver: p.Address()})
	o := options(t, &authority{ca})
	o.DNS = []dns01.Options{{}}
	o.DNS[0].SetDefaults()
	o.DNS[0].Zones, o.DNS[0].Provider, o.DNS[0].Server = []string{"example.com"}, dns01.RFC2136, p.Address()
	o.DNS[0].NameServers, o.DNS[0].KeyFile = []string{p.Address()}, filepath.Join(t.TempDir(), "key")
	writeFile(t, o.DNS[0].KeyFile, []byte(acmetest.TSIGKey))
	if !o.Obtainable("*.example.com") || o.Obtainable("*.example.net") || o.Obtainable("*.*.example.com") {
		t.Error("which wildcards can be obtained?")
	}
	m := start(t, f, o, "*.example.com", "example.com", "elsewhere.example.net")
	await(t, "the wildcard is served", func() bool { return f.served("any.example.com") != nil })
	await(t, "the name is served", func() bool { return f.served("example.com") != nil })
	await(t, "all is well", func() bool { return m.of("*.example.com").State == acme.Good && m.of("example.com").State == acme.Good })
	await(t, "the other one fails", func() bool { return m.of("elsewhere.example.net").Problem != "" })
	await(t, "no record is left", func() bool { return len(p.Texts("_acme-challenge.example.com.")) == 0 })
	if strings.Contains(m.log.String()+m.events(), acmetest.TSIGSecret) {
		t.Error("the TSIG key is told")
	}
}

// TestChallengeZone: a wildcard is obtained by records in another zone, which a CNAME leads to.
func TestChallengeZone(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	p := acmetest.StartPrimary(t)
	p.Alias("_acme-challenge.example.com.", "example.com.acme.example.net.")
	ca := acmetest.Start(t, acmetest.Options{HTTPPort: f.httpPort(), TLSPort: f.tlsPort(), Resolver: p.Address()})
	o := options(t, &authority{ca})
	o.DNS = []dns01.Options{{
		Zones: []string{"example.com"}, ChallengeZone: "acme.example.net", Provider: dns01.RFC2136, Server: p.Address(), Resolver: p.Address(),
		NameServers: []string{p.Address()}, KeyFile: filepath.Join(t.TempDir(), "key"), Propagation: time.Minute,
	}}
	writeFile(t, o.DNS[0].KeyFile, []byte(acmetest.TSIGKey))
	m := start(t, f, o, "*.example.com", "*.sub.example.com")
	await(t, "the wildcard is served", func() bool { return f.served("any.example.com") != nil })
	await(t, "the other one is told what it needs", func() bool {
		return strings.Contains(m.of("*.sub.example.com").Problem, "such as sub.example.com.acme.example.net")
	})
}

// TestRecordIsLate: the authority isn't asked for as long as a name server hasn't the record, and the status says which.
func TestRecordIsLate(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	p, late := acmetest.StartPrimary(t), acmetest.StartPrimary(t)
	ca := acmetest.Start(t, acmetest.Options{HTTPPort: f.httpPort(), TLSPort: f.tlsPort(), Resolver: p.Address()})
	o := options(t, &authority{ca})
	o.DNS = []dns01.Options{{
		Zones: []string{"example.com"}, Provider: dns01.RFC2136, Server: p.Address(), NameServers: []string{p.Address(), late.Address()},
		KeyFile: filepath.Join(t.TempDir(), "key"), Propagation: 500 * time.Millisecond,
	}}
	writeFile(t, o.DNS[0].KeyFile, []byte(acmetest.TSIGKey))
	m := start(t, f, o, "*.example.com")
	await(t, "whom it waits for", func() bool { return strings.Contains(m.of("*.example.com").Problem, late.Address()+" doesn't have it") })
	if f.served("any.example.com") != nil {
		t.Error("obtained without")
	}
	o.DNS[0].NameServers = o.DNS[0].NameServers[:1]
	must(t, m.Configure(&o, []string{"*.example.com"}))
	await(t, "it is served", func() bool { return f.served("any.example.com") != nil })
}
