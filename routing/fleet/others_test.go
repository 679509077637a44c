package fleet_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/fleet"
)

// other is another node: an admin API and a data plane.
type other struct {
	t       *testing.T
	api     *httptest.Server
	data    *httptest.Server
	status  atomic.Pointer[string]
	node    atomic.Pointer[string] // the name that its data plane answers with
	dataAt  netip.AddrPort
	journal *health.Journal
}

func newOther(t *testing.T) *other {
	t.Helper()
	o := &other{t: t, journal: health.NewJournal(64)}
	o.api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(*o.status.Load()))
	}))
	t.Cleanup(o.api.Close)
	o.data = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "example.com" || r.Header.Get("Cache-Control") != "only-if-cached" {
			t.Errorf("asked for %s with Cache-Control %q", r.Host, r.Header.Get("Cache-Control"))
		}
		w.Header().Set("Cache-Status", *o.node.Load()+"; fwd=uri-miss")
		w.WriteHeader(http.StatusGatewayTimeout)
	}))
	t.Cleanup(o.data.Close)
	o.dataAt = netip.MustParseAddrPort(o.data.Listener.Addr().String())
	o.tell("fra-1", &routing.Report{Levels: map[string]routing.Level{"www": 1}, Origins: []string{"img", "shop"}, Critical: []string{"shop"}, Headroom: 5e9})
	o.answerAs("fra-1")
	return o
}

func (o *other) answerAs(node string) { o.node.Store(&node) }

func (o *other) tell(node string, r *routing.Report) {
	b, err := json.Marshal(map[string]any{"node": node, "metro": "fra", "report": r, "vips": []string{}})
	if err != nil {
		o.t.Fatal(err)
	}
	text := string(b)
	o.status.Store(&text)
}

// watch is a fleet that asks o, until the test ends.
func (o *other) watch(vips ...fleet.VIP) *fleet.Others {
	o.t.Helper()
	token := filepath.Join(o.t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		o.t.Fatal(err)
	}
	m, err := fleet.Read(fleet.Options{Interval: 100 * time.Millisecond, Nodes: []fleet.Node{{Name: "fra-1", Address: o.dataAt.Addr(), Admin: o.api.URL, TokenFile: token}}})
	if err != nil {
		o.t.Fatal(err)
	}
	s := fleet.NewOthers("ams", func() float64 { return 2e9 }, o.journal)
	s.Configure(m, vips)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }() // ended with the test
	o.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			o.t.Error(err)
		}
	})
	return s
}

func (o *other) www() fleet.VIP {
	return fleet.VIP{Name: "www", ServerName: "example.com", HTTPS: o.dataAt.Port()}
}

// await waits until what is known of fra-1 for www is as met says.
func await(t *testing.T, s *fleet.Others, what string, met func(routing.Node) bool) routing.Node {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		n := s.View("www").Nodes[0]
		if met(n) {
			return n
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s: %+v", what, n)
		}
	}
}

func TestWhatIsHeard(t *testing.T) {
	o := newOther(t)
	s := o.watch(o.www())
	n := await(t, s, "told and verified", func(n routing.Node) bool { return n.Age >= 0 && n.Verified >= 0 })
	if n.Name != "fra-1" || n.Metro != "fra" || n.Level != routing.LightlyDepref || n.Headroom != 5e9 || n.Problem != "" {
		t.Errorf("%+v", n)
	}
	if age, has := n.Origins["img"]; !has || age >= 0 {
		t.Errorf("img: %s, %v", age, has)
	}
	if age := n.Origins["shop"]; age < 0 || age > time.Minute {
		t.Errorf("shop was found critical %s ago", age)
	}
	f := s.View("www")
	if f.Metro != "ams" || f.Load != 2e9 {
		t.Errorf("%+v", f)
	}
	if other := s.View("dns").Nodes[0]; other.Level != routing.Withdrawn || other.Verified >= 0 {
		t.Errorf("a VIP that it hasn't: %+v", other)
	}
	// What has recovered keeps the time at which it was last critical.
	o.tell("fra-1", &routing.Report{Levels: map[string]routing.Level{"www": 0}, Origins: []string{"shop"}})
	n = await(t, s, "it has recovered", func(n routing.Node) bool { return n.Level == routing.Announced })
	if n.Origins["shop"] < 0 {
		t.Errorf("%+v", n)
	}
}

// TestWhatIsNotBelieved: a node that is another one, or whose data plane isn't its own, is not able to take over.
func TestWhatIsNotBelieved(t *testing.T) {
	for _, c := range []struct {
		what, problem string
		change        func(*other, *fleet.VIP)
	}{
		{"another node tells", `is node "fra-2", not "fra-1"`, func(o *other, _ *fleet.VIP) { o.tell("fra-2", &routing.Report{}) }},
		{"an older version", "older version", func(o *other, _ *fleet.VIP) { o.tell("fra-1", nil) }},
		{"no JSON", "invalid character", func(o *other, _ *fleet.VIP) { text := "<html>"; o.status.Store(&text) }},
		{"another node answers", "without the node's name", func(o *other, _ *fleet.VIP) { o.answerAs("fra-10") }},
		{"the certificate has another name", "certificate", func(_ *other, v *fleet.VIP) { v.ServerName = "shop.example.org" }},
		{"the data plane is closed", "refused", func(o *other, v *fleet.VIP) { v.HTTPS = closedPort(o.t) }},
		{"the API is closed", "refused", func(o *other, _ *fleet.VIP) { o.api.Close() }},
	} {
		t.Run(c.what, func(t *testing.T) {
			o := newOther(t)
			vip := o.www()
			c.change(o, &vip)
			s := o.watch(vip)
			n := await(t, s, "the problem", func(n routing.Node) bool { return n.Problem != "" })
			if n.Age >= 0 && n.Verified >= 0 || !strings.Contains(n.Problem, c.problem) || strings.Contains(n.Problem, "\n") {
				t.Errorf("%+v", n)
			}
		})
	}
}

func closedPort(t *testing.T) uint16 {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return netip.MustParseAddrPort(ln.Addr().String()).Port()
}

func TestFailureAndReturnAreTold(t *testing.T) {
	o := newOther(t)
	s := o.watch(o.www())
	await(t, s, "told", func(n routing.Node) bool { return n.Age >= 0 && n.Problem == "" })
	o.answerAs("nobody")
	await(t, s, "a problem", func(n routing.Node) bool { return n.Problem != "" })
	o.answerAs("fra-1")
	await(t, s, "no problem", func(n routing.Node) bool { return n.Problem == "" })
	var texts []string
	for _, e := range o.journal.Since(0) {
		texts = append(texts, e.Text)
	}
	if got := strings.Join(texts, "\n"); !strings.Contains(got, "without the node's name") || !strings.HasSuffix(got, "answers again") {
		t.Errorf("events:\n%s", got)
	}
}

func TestNobodyToAsk(t *testing.T) {
	s := fleet.NewOthers("ams", func() float64 { return -1 }, nil)
	if f := s.View("www"); f != nil {
		t.Errorf("%+v", f)
	}
}

// TestConfigureWhileItRuns: those who stay keep what is known of them, and those who are gone are forgotten.
func TestConfigureWhileItRuns(t *testing.T) {
	o := newOther(t)
	s := o.watch(o.www())
	await(t, s, "told", func(n routing.Node) bool { return n.Age >= 0 })
	m, err := fleet.Read(fleet.Options{Interval: time.Second, Nodes: []fleet.Node{
		{Name: "fra-1", Address: o.dataAt.Addr(), Admin: o.api.URL}, {Name: "sin-1", Address: o.dataAt.Addr(), Admin: "http://127.0.0.1:1"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Configure(m, nil)
	if f := s.View("www"); len(f.Nodes) != 2 || f.Nodes[0].Age < 0 || f.Nodes[1].Age >= 0 {
		t.Errorf("%+v", f)
	}
	m, _ = fleet.Read(fleet.Options{Interval: time.Second})
	s.Configure(m, nil)
	if f := s.View("www"); f != nil {
		t.Errorf("%+v", f)
	}
}

// TestPlainVIPs are asked without TLS; one without a port isn't asked at all.
func TestPlainVIPs(t *testing.T) {
	o := newOther(t)
	redirects := httptest.NewServer(http.RedirectHandler("https://example.com/", http.StatusPermanentRedirect))
	t.Cleanup(redirects.Close)
	port := netip.MustParseAddrPort(redirects.Listener.Addr().String()).Port()
	s := o.watch(fleet.VIP{Name: "www", ServerName: "example.com", HTTP: port}, fleet.VIP{Name: "dns"})
	await(t, s, "verified", func(n routing.Node) bool { return n.Verified >= 0 })
	if n := s.View("dns").Nodes[0]; n.Verified < 0 {
		t.Errorf("%+v", n)
	}
}

func TestReadFiles(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		node fleet.Node
		want string
	}{
		{fleet.Node{TokenFile: filepath.Join(dir, "none")}, "fleet.nodes[0]: token_file: open"},
		{fleet.Node{TokenFile: empty}, "is empty"},
		{fleet.Node{CAFile: filepath.Join(dir, "none")}, "ca_file: open"},
		{fleet.Node{CAFile: empty}, "no certificate in PEM"},
	} {
		if _, err := fleet.Read(fleet.Options{Nodes: []fleet.Node{c.node}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.node, err)
		}
	}
}
