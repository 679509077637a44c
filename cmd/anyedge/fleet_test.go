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
	"github.com/anyedge/anyedge/tls/secret"
)

// joining is the fleet of a node's configuration, with a secret file of its own; seed is empty for nobody's address.
func (e *edge) joining(seed string) string {
	e.t.Helper()
	dir := filepath.Dir(e.file)
	if err := secret.Create(filepath.Join(dir, "fleet.secret"), secret.New()); err != nil {
		e.t.Fatal(err)
	}
	return fmt.Sprintf("fleet: {interval: 100ms, secret_file: %s/fleet.secret, state_file: %[1]s/fleet.state, listen: \"127.0.0.1:0\", join: [\"%s\"]}\n",
		dir, firstOf(seed, "127.0.0.1:9"))
}

// startJoined is two nodes that find each other by gossip, with the same VIP on different addresses of this host.
func startJoined(t *testing.T, adjust ...func(*edge)) (a, b *edge) {
	t.Helper()
	if raceDetector {
		t.Skip("two nodes in one process are two GoBGP servers")
	}
	a, b = newEdgeBeside(t), newEdgeBeside(t)
	b.https, b.plainHTTP = a.https, a.plainHTTP
	t.Parallel()
	seed, tunnel := "", unusedPort(t)
	for i, e := range []*edge{a, b} {
		e.replace = []string{
			"name: test-1, metro: lab, address: 127.0.0.1", fmt.Sprintf("name: test-%d, metro: m%[1]d, address: 127.0.0.%d", i+1, 41+i),
			"addresses: [127.0.0.1]", fmt.Sprintf("addresses: [127.0.0.%d]", 51+i),
		}
		for _, f := range adjust {
			f(e)
		}
		steered := fmt.Sprintf("fleet: {steering: {port: %d}, ", tunnel)
		e.write(e.configText() + strings.Replace(e.joining(seed), "fleet: {", steered, 1))
		if i > 0 {
			e.share(a)
		}
		e.begin()
		seed = e.node.fleet.Address().String()
	}
	return a, b
}

// share gives e the secret of other.
func (e *edge) share(other *edge) {
	e.t.Helper()
	b, err := os.ReadFile(filepath.Join(filepath.Dir(other.file), "fleet.secret"))
	if err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(e.file), "fleet.secret"), b, 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// ready says whether e sees that another node could take over.
func (e *edge) ready() bool {
	f := e.node.others.View("www")
	return len(f.Nodes) == 1 && f.Nodes[0].Unable() == ""
}

// Nodes that find each other decide by each other as those do that are listed, and purge together.
func TestJoinedNodes(t *testing.T) {
	a, b := startJoined(t)
	a.awaitAnnounced()
	b.awaitAnnounced()
	a.await("a sees that b could take over", a.ready)
	b.await("b sees that a could take over", b.ready)
	a.await("status tells who is there", func() bool {
		_, out := a.command("status")
		return strings.Contains(out, "1 of 1 other there") && strings.Contains(out, "verified by test-1") && strings.Contains(out, "node    test-2")
	})

	a.await("steering has numbers, and knows the other node's", func() bool {
		_, out := a.command("status")
		return a.node.steering.ID().Host != 0 && strings.Contains(out, "steer   test-2")
	})
	for _, e := range []*edge{a, b} {
		e.getAt("HTTP/1.1", "/")
	}
	code, out := a.command("purge", "--url", "https://shop.example.com/", "--fleet")
	if code != exitGood || !strings.Contains(out, "test-1: purged 1 ") || !strings.Contains(out, "test-2: purged 1 ") {
		t.Errorf("%d %s", code, out)
	}
	if code, out := a.command("purge", "--tag", "x", "--fleet", "--json"); code != exitGood || strings.Count(out, `"state": "purged"`) != 2 {
		t.Errorf("%d %s", code, out)
	}
	if code, out := a.command("purge", "--site", "shopp", "--fleet"); code != exitBad || !strings.Contains(out, `no site "shopp"`) {
		t.Errorf("%d %s", code, out)
	}

	a.node.checks.Set(nil, nil)
	a.await("a has left", func() bool { // a check that was under way may still report that all is well
		a.node.tracker.SelfCheck("www", health.SelfCheck, errors.New("broken"))
		return a.level() == routing.Withdrawn && len(a.router.Table()) == 0
	})
	b.end()
	a.await("the last door opens", func() bool { return a.level() == routing.Depreferred && len(a.router.Table()) == 1 })
}

// getAt asks a joined node at its own VIP's address.
func (e *edge) getAt(proto, path string) {
	e.t.Helper()
	cfg := e.node.config()
	d := e.client()
	transport, done := d.transport(proto)
	defer done()
	e.getFrom(transport, cfg.VIPs["www"].Addresses[0].String(), "shop.example.com", path)
}

// A node whose secret isn't the fleet's is named, and alone; a reload with the right one brings it in.
func TestWrongSecret(t *testing.T) {
	a, b := newEdge(t), newEdgeBeside(t)
	if raceDetector {
		t.Skip("two nodes in one process are two GoBGP servers")
	}
	b.replace = []string{"name: test-1", "name: test-2"}
	a.write(a.configText() + a.joining(""))
	a.begin()
	b.write(b.configText() + b.joining(a.node.fleet.Address().String()))
	b.begin()
	a.await("a names the stranger", func() bool {
		_, out := a.command("status")
		return strings.Contains(out, "stranger  127.0.0.1") && strings.Contains(out, "has another secret")
	})
	b.await("b says why it is alone", func() bool {
		_, out := b.command("status")
		return strings.Contains(out, "is fleet.secret_file the same on both nodes?")
	})
	b.share(a)
	if err := b.node.Reload(); err != nil {
		t.Fatal(err)
	}
	b.await("b is let in", func() bool {
		_, out := b.command("status")
		return strings.Contains(out, "1 of 1 other there")
	})
}

func TestFleetChangesThatNeedARestart(t *testing.T) {
	e := newEdge(t)
	text := e.configText()
	fleet := e.joining("")
	e.write(text + fleet)
	e.begin()
	e.write(text + strings.Replace(fleet, "100ms", "200ms", 1))
	if err := e.node.Reload(); err == nil || !strings.Contains(err.Error(), "fleet.interval: a reload can't change it") {
		t.Errorf("%v", err)
	}
	e.write(text + strings.Replace(fleet, "127.0.0.1:9", "127.0.0.1:10", 1))
	if err := e.node.Reload(); err != nil {
		t.Error(err)
	}
	if s := e.node.fleet.Status().Seeds; len(s) != 1 || s[0].Address != "127.0.0.1:10" {
		t.Errorf("%+v", s)
	}
	if code, out := e.command("purge", "--all", "--fleet"); code != exitGood || !strings.Contains(out, "test-1: purged ") {
		t.Errorf("%d %s", code, out)
	}
}

func TestPurgeOfNoFleet(t *testing.T) {
	e := startEdge(t)
	if code, out := e.command("purge", "--all", "--fleet"); code != exitBad || !strings.Contains(out, "fleet.join doesn't say where it is") {
		t.Errorf("%d %s", code, out)
	}
}

func TestNoStateFileIsWarnedOf(t *testing.T) {
	cfg, err := configs.Parse("node.yaml", []byte(`node: {name: a, address: 192.0.2.11}
vips: {www: {addresses: [198.51.100.10], http: 80, plain: true}}
cache: {disk: {path: /var/cache/anyedge, size: 1GiB}}
fleet: {secret_file: /etc/anyedge/fleet.secret, join: ["192.0.2.12:7946"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(cfg.Warnings(), "\n"); !strings.Contains(got, "fleet.state_file is missing") {
		t.Error(got)
	}
}
