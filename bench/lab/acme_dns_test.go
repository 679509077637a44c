//go:build lab

package lab_test

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// shopZone leads every name to the VIP. What it holds of _acme-challenge the nodes write.
const shopZone = `$TTL 60
@	IN SOA ns hostmaster 1 3600 600 86400 60
	IN NS ns
ns	IN A 192.0.2.80
*	IN A 198.51.100.10
`

func within5s() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 5*time.Second)
}

// bind runs BIND beside the origin, with a zone whose challenges one key may change, and has the nodes of f use it.
func (f *acmeFleet) bind(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "acme.key")
	writeFile(t, key, f.Origin.Run("tsig-keygen", "anyedge"))
	writeFile(t, filepath.Join(dir, "lab.test.zone"), shopZone)
	writeFile(t, filepath.Join(dir, "named.conf"), execute(t, "acme-named.conf", map[string]any{"Address": lab.Origin4, "Dir": dir, "Key": key}))
	f.Origin.Start("named", "-g", "-n", "1", "-c", filepath.Join(dir, "named.conf"))
	f.Await("BIND answers", helperLimit, func() bool { return f.record("shop.lab.test") != "" })
	f.dns = fmt.Sprintf(", dns: [{zones: [lab.test], provider: rfc2136, server: %q, key_file: %s, resolver: %q}]",
		lab.Origin4.String()+":53", key, lab.Origin4.String()+":53")
}

// record is what BIND says of a name.
func (f *acmeFleet) record(name string, kind ...string) string {
	ctx, cancel := within5s()
	defer cancel()
	out, err := f.Origin.Exec(ctx, "dig", append([]string{"+short", "+time=1", "+tries=1", "@" + lab.Origin4.String(), name}, kind...)...)
	if err != nil {
		return ""
	}
	return out
}

// TestACMEDNS: nodes that don't see each other obtain a wildcard and its parent by records in a real BIND, each once, since
// they share a Redis; and a lock that a dead node has left there holds them up for as long as it lives.
func TestACMEDNS(t *testing.T) {
	f := newACMEFleet(t, lab.SiteName, "*.shop.lab.test", "shop.lab.test")
	f.join = false
	r := redisFor(t, f)
	r.start()
	if out, err := r.ask("set", "anyedge/lock/certificate shop.lab.test", "dead-1 TOKEN", "px", "8000"); err != nil || out != "OK" {
		t.Fatal(out, err)
	}
	f.bind(t)
	f.ca.Route(netip.PrefixFrom(lab.Origin4, 32), f.Link(f.ca, f.Origin).B.V4)
	f.authority(lab.Origin4.String()+":53", 24*time.Hour)
	begin := time.Now()
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		f.Start(f.settings(m, filepath.Join(t.TempDir(), m.Host.Name)), m)
	}
	f.waitServed()
	t.Logf("nodes started → wildcard and parent at both: %v, of which a dead node's lock holds one up for 8s", ms(time.Since(begin)))
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		f.Await(m.Host.Name+" says that all is well", issueLimit, func() bool { return f.good(m) })
	}
	issued, failed := f.orders()
	if issued != float64(len(f.hosts)) || failed != 0 {
		t.Errorf("%v orders issued, %v in vain", issued, failed)
	}
	f.Await("no record is left", issueLimit, func() bool { return f.record("_acme-challenge.shop.lab.test", "TXT") == "" })
}
