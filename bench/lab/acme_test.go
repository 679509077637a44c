//go:build lab

package lab_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/anyedge/anyedge/bench/lab"
	"github.com/anyedge/anyedge/tls/acme/acmetest"
	"github.com/anyedge/anyedge/tls/secret"
)

// acmeServer is the certificate authority's address; its port is acmePort.
var acmeServer = netip.MustParseAddr("192.0.2.90")

const acmePort = "14000"

// issueLimit bounds what takes some orders: nodes look at a name again after a minute at the latest.
const issueLimit = 90 * time.Second

// pebble is a program: an authority, and where it is told to, the DNS that leads every name to the VIP.
func pebble(ctx context.Context, args []string) error {
	resolver, validity, cert, key := args[0], args[1], args[2], args[3]
	life, err := time.ParseDuration(validity)
	if err != nil {
		return err
	}
	if resolver == "" {
		s := &dns.Server{Addr: "127.0.0.1:53", Net: "tcp", Handler: dns.HandlerFunc(leadToVIP)}
		go func() { _ = s.ListenAndServe() }() // ends with Shutdown; without it no name is found
		defer func() { _ = s.Shutdown() }()
		resolver = s.Addr
	}
	o := acmetest.Options{HTTPPort: 80, TLSPort: 443, Resolver: resolver, Validity: life}
	return acmetest.Serve(ctx, o, netip.AddrPortFrom(acmeServer, 14000).String(), cert, key)
}

func leadToVIP(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	if q.Question[0].Qtype == dns.TypeA {
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: lab.VIP4.AsSlice()}}
	}
	_ = w.WriteMsg(m) // the authority asks again
}

// acmeFleet is a fleet with an authority that is connected to both metros' routers, and to whose packets both are as near:
// each of its connections to the VIP goes to one or the other, as the hash of its ports has it.
type acmeFleet struct {
	*fleet

	ca     *lab.Host
	secret string // a file
	redis  string // the key tls.acme.redis, or nothing
	dns    string // tls.acme.dns, the same
	join   bool
	hosts  []string
}

func newACMEFleet(t *testing.T, hosts ...string) *acmeFleet {
	t.Helper()
	dir := t.TempDir() // the first of the test: all are removed when the nodes, which write there, have ended
	f := &acmeFleet{fleet: assemble(t), hosts: hosts, secret: filepath.Join(dir, "fleet.secret"), join: true}
	if err := secret.Create(f.secret, secret.New()); err != nil {
		t.Fatal(err)
	}
	f.ca = f.Host("ca")
	f.ca.Address(acmeServer)
	f.ca.Run("sysctl", "-qw", "net.ipv4.fib_multipath_hash_policy=1")
	var ways []string
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		link := f.Link(f.ca, m.Edge)
		m.Edge.Route(netip.PrefixFrom(acmeServer, 32), link.A.V4)
		f.ca.Route(netip.PrefixFrom(m.ToNode.B.V4, 32), link.B.V4)
		ways = append(ways, "nexthop", "via", link.B.V4.String())
	}
	f.ca.Run("ip", append([]string{"route", "add", netip.PrefixFrom(lab.VIP4, 32).String(), "src", acmeServer.String()}, ways...)...)
	return f
}

// authority starts it. An empty resolver leads every name to the VIP.
func (f *acmeFleet) authority(resolver string, validity time.Duration) *lab.Process {
	f.Helper()
	cert, key := f.CA.Issue(acmeServer.String())
	return f.ca.Program("pebble", resolver, validity.String(), cert, key)
}

// settings are those of a metro's node with a storage of its own.
func (f *acmeFleet) settings(m *lab.Metro, storage string) lab.Settings {
	s := lab.Quick()
	s.TLS = fmt.Sprintf("acme: {storage: %s, authorities: [{directory: %q, root_file: %s}], hosts: [%s]%s%s}",
		storage, "https://"+acmeServer.String()+":"+acmePort+"/dir", f.CA.File, quoted(f.hosts), f.redis, f.dns)
	join := ""
	if f.join {
		join = fmt.Sprintf(", join: [%q]", f.other(m).ToNode.B.V4.String()+":7946")
	}
	s.More += fmt.Sprintf("fleet: {secret_file: %s%s}\n", f.secret, join)
	return s
}

func quoted(list []string) string {
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = strconv.Quote(w)
	}
	return strings.Join(words, ", ")
}

func (f *acmeFleet) other(m *lab.Metro) *lab.Metro {
	if m == f.Ams {
		return f.Fra
	}
	return f.Ams
}

// waitWays returns when the metros' routers know the way to the other's node: nodes that look for each other in vain take
// themselves for the only ones, and each orders.
func (f *acmeFleet) waitWays(t *testing.T) {
	t.Helper()
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		f.Await(m.Edge.Name+" knows the way to the other node", upLimit, func() bool {
			_, err := m.Edge.Exec(t.Context(), "ip", "route", "get", f.other(m).ToNode.B.V4.String())
			return err == nil
		})
	}
}

// begin starts the nodes, and returns when both are announced.
func (f *acmeFleet) begin(t *testing.T) {
	t.Helper()
	f.waitWays(t)
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		f.Start(f.settings(m, filepath.Join(t.TempDir(), m.Host.Name)), m)
	}
	f.waitNormal(upLimit)
}

// nodeStatus is what these tests read of a node's status.
type nodeStatus struct {
	ACME []struct {
		Name, State, Problem string
	} `json:"acme"`
	Storage *struct{ Server, Problem string } `json:"acme_storage"`
}

func statusOf(m *lab.Metro) (s nodeStatus) {
	if text, err := m.Node.Get("/v1/status"); err == nil {
		_ = json.Unmarshal([]byte(text), &s) // what isn't there is awaited
	}
	return s
}

// good tells whether a metro's node has all certificates.
func (f *acmeFleet) good(m *lab.Metro) bool {
	s := statusOf(m)
	for _, name := range s.ACME {
		if name.State != "good" {
			return false
		}
	}
	return len(s.ACME) == len(f.hosts)
}

// serial is that of the certificate which a metro's node serves for a host.
func serial(m *lab.Metro, host string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := m.Edge.Dial(ctx, "tcp", vip4)
	if err != nil {
		return ""
	}
	defer c.Close()
	shaken := tls.Client(c, &tls.Config{ServerName: strings.Replace(host, "*", "any", 1), InsecureSkipVerify: true})
	if shaken.HandshakeContext(ctx) != nil {
		return ""
	}
	leaf := shaken.ConnectionState().PeerCertificates[0]
	if leaf.VerifyHostname(strings.Replace(host, "*", "any", 1)) != nil {
		return ""
	}
	return leaf.SerialNumber.String()
}

// waitServed waits until both nodes serve one certificate for each host, and returns their serial numbers.
func (f *acmeFleet) waitServed() map[string]string {
	f.Helper()
	serials := map[string]string{}
	for _, host := range f.hosts {
		f.Await("both nodes serve "+host, issueLimit, func() bool {
			serials[host] = serial(f.Ams, host)
			return serials[host] != "" && serials[host] == serial(f.Fra, host)
		})
	}
	return serials
}

// metric sums the series of a metric whose labels have all of words.
func metric(m *lab.Metro, name string, words ...string) (sum float64) {
	text, err := m.Node.Get("/metrics")
	if err != nil {
		return 0
	}
lines:
	for line := range strings.Lines(text) {
		labels, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(labels, name+"{") {
			continue
		}
		for _, w := range words {
			if !strings.Contains(labels, w) {
				continue lines
			}
		}
		n, _ := strconv.ParseFloat(value, 64)
		sum += n
	}
	return sum
}

// orders is how many certificates both nodes have ordered, and how often that ended in vain.
func (f *acmeFleet) orders() (issued, failed float64) {
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		n := metric(m, "anyedge_acme_orders_total", `outcome="issued"`)
		issued += n
		failed += metric(m, "anyedge_acme_orders_total") - n
	}
	return issued, failed
}

// The authority validates each name from three connections at once, which reach one metro or the other: whichever node has
// ordered, both answer, no validation fails, and both serve what came of it. When the node that ordered is dead, the other
// one renews; when it is back, it takes what there is.
func TestACME(t *testing.T) {
	f := newACMEFleet(t, lab.SiteName, "a.lab.test", "b.lab.test", "c.lab.test", "d.lab.test", "e.lab.test")
	f.authority("", 40*time.Second)
	f.begin(t)
	begin := time.Now()
	first := f.waitServed()
	t.Logf("announced → %d certificates at both nodes: %v", len(first), ms(time.Since(begin)))
	issued, failed := f.orders()
	t.Logf("orders: %v issued, %v in vain", issued, failed)
	if failed > 0 {
		t.Error("a validation failed")
	}
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		n := metric(m, "anyedge_acme_challenges_answered_total")
		t.Logf("%s answered %v questions of the authority, and ordered %v certificates", m.Host.Name, n, metric(m, "anyedge_acme_orders_total"))
		if n == 0 {
			t.Error("the authority's packets didn't come there: nothing is shown")
		}
	}
	if n := metric(f.Fra, "anyedge_acme_orders_total"); n != 0 {
		t.Errorf("fra-1 has ordered %v certificates beside the leader", n)
	}

	f.Ams.Node.Kill()
	killed := time.Now()
	for _, host := range f.hosts {
		f.Await("fra-1 renews "+host, issueLimit, func() bool { s := serial(f.Fra, host); return s != "" && s != first[host] })
	}
	t.Logf("leader killed → all renewed by the other: %v (certificates of 40s, renewed when a third is left)", ms(time.Since(killed)))
	if n := metric(f.Fra, "anyedge_acme_orders_total") - metric(f.Fra, "anyedge_acme_orders_total", `outcome="issued"`); n > 0 {
		t.Errorf("%v orders failed", n)
	}
	f.Start(f.settings(f.Ams, filepath.Join(t.TempDir(), "new")), f.Ams)
	f.waitServed()
}
