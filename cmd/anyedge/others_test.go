package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// pair is two nodes that know each other, with the same VIP on different addresses of this host.
func startPair(t *testing.T) (a, b *edge) {
	t.Helper()
	if raceDetector {
		t.Skip("two nodes in one process are two GoBGP servers")
	}
	a, b = newEdgeBeside(t), newEdgeBeside(t)
	b.https, b.plainHTTP = a.https, a.plainHTTP
	t.Parallel()
	admins := [2]string{fmt.Sprintf("127.0.0.1:%d", unusedPort(t)), fmt.Sprintf("127.0.0.1:%d", unusedPort(t))}
	for i, e := range []*edge{a, b} {
		self, other := i+1, 2-i
		e.replace = []string{
			"name: test-1, metro: lab, address: 127.0.0.1", fmt.Sprintf("name: test-%d, metro: m%d, address: 127.0.0.%d", self, self, 20+self),
			"addresses: [127.0.0.1]", fmt.Sprintf("addresses: [127.0.0.%d]", 30+self),
			"127.0.0.1:0", admins[i],
			"log:", fmt.Sprintf("fleet: {interval: 100ms, nodes: [{name: test-%d, address: 127.0.0.%d, admin: \"http://%s\"}]}\nlog:", other, 20+other, admins[1-i]),
		}
		e.write(e.configText())
		e.begin()
	}
	return a, b
}

// other is what e knows of the other node.
func (e *edge) other() routing.Node {
	e.t.Helper()
	all, err := e.node.control.Explain("www")
	if err != nil || all[0].Fleet == nil || len(all[0].Fleet.Nodes) != 1 {
		e.t.Fatalf("%v: %+v", err, all)
	}
	return all[0].Fleet.Nodes[0]
}

// A node that no longer serves itself leaves when it has seen that the other one does, and stays as the last door when
// the other one is gone.
func TestTheOtherNodeCounts(t *testing.T) {
	a, b := startPair(t)
	a.awaitAnnounced()
	b.awaitAnnounced()
	seen := func(e *edge) func() bool {
		return func() bool {
			n := e.other()
			return n.Level == routing.Announced && n.Age >= 0 && n.Verified >= 0 && n.Problem == ""
		}
	}
	a.await("a sees b", seen(a))
	b.await("b sees a", seen(b))
	if n := a.other(); n.Metro != "m2" || n.Headroom >= 0 || n.Origins["shop"] >= 0 {
		t.Errorf("%+v", n)
	}

	if _, out := a.command("status"); !strings.Contains(out, "node    test-2") || !strings.Contains(out, "www announced, can take over; told ") {
		t.Errorf("status doesn't tell of the other node:\n%s", out)
	}

	broken := func() {
		for range 3 {
			a.node.tracker.SelfCheck("www", health.SelfCheck, errors.New("broken"))
		}
	}
	a.node.checks.Set(nil, nil)
	a.await("a has left", func() bool {
		broken() // again: a check that was under way may say that all is well
		return a.level() == routing.Withdrawn && len(a.router.Table()) == 0
	})
	if _, out := a.command("explain"); !strings.Contains(out, "1 of 1 other nodes can take over") || !strings.Contains(out, "test-2") {
		t.Errorf("explain doesn't tell:\n%s", out)
	}

	b.end()
	a.await("the last door opens", func() bool { return a.level() == routing.Depreferred && len(a.router.Table()) == 1 })
	if _, out := a.command("status", "--json"); !strings.Contains(out, `"state": "down"`) {
		t.Errorf("status doesn't tell that the other node is gone:\n%s", out)
	}
	if _, out := a.command("explain"); !strings.Contains(out, "guarded") || !strings.Contains(out, "no: ") {
		t.Errorf("explain doesn't tell:\n%s", out)
	}
}

func TestFleetFilesAreChecked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "node.yaml")
	text := `node: {name: a, address: 192.0.2.11}
vips: {www: {addresses: [198.51.100.10], announce: [198.51.100.0/24], http: 80, plain: true}}
fleet: {nodes: [{name: b, address: 192.0.2.12, admin: "https://192.0.2.12:9180", token_file: /nowhere/token}]}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := command(t, "check", "-c", file); code != exitBad || !strings.Contains(out, ":3:17: fleet.nodes[0]: token_file: open /nowhere/token") {
		t.Errorf("%d %s", code, out)
	}
}

func TestVIPOf(t *testing.T) {
	cfg, err := configs.Parse("node.yaml", []byte(`node: {name: a, address: 192.0.2.11}
vips:
  one: {addresses: [198.51.100.10], http: 80, plain: true}
  two: {addresses: [198.51.100.11], http: 80, plain: true}
origins: {shop: {servers: ["http://192.0.2.80"]}}
sites:
  shop: {hosts: [shop.example.com], origin: shop, vips: [two]}
  img: {hosts: ["*.img.example.com"], origin: shop, vips: [one]}
`))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"shop.example.com": "two", "SHOP.example.com:8443": "two", "a.img.example.com": "one", "img.example.com": "", "": "", "192.0.2.11": "",
	} {
		if got := vipOf(cfg, host); got != want {
			t.Errorf("%q is of %q, want %q", host, got, want)
		}
	}
}

func TestHeadroom(t *testing.T) {
	warns := []health.Signal{{Cause: health.Load, Grade: health.Warn}}
	for _, c := range []struct {
		capacity int
		sent     float64
		signals  []health.Signal
		want     float64
	}{
		{0, 1e9, nil, -1}, {10000, -1, nil, -1}, {10000, 1e9, nil, 6.5e9}, {10000, 8e9, nil, 0}, {10000, 1e9, warns, 0},
	} {
		o := health.LoadOptions{Bandwidth: health.BandwidthThreshold{Capacity: c.capacity}}
		if got := headroom(c.sent, c.signals, &o); got != c.want {
			t.Errorf("%+v: %g", c, got)
		}
	}
}
