package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/routing/steer"
	"github.com/anyedge/anyedge/tls/secret"
)

// steeringText configures steering, with one other node, which nobody is.
func (e *edge) steeringText() string {
	e.t.Helper()
	file := filepath.Join(filepath.Dir(e.file), "fleet.secret")
	if err := secret.Create(file, secret.New()); err != nil {
		e.t.Fatal(err)
	}
	return fmt.Sprintf("fleet: {secret_file: %s, steering: {host: 1, address: 127.0.0.1, port: %d, nodes: [{name: beta, metro: 1, host: 2, address: 127.0.0.2}]}}\n",
		file, unusedPort(e.t))
}

// H3 is served through steering, and status tells what became of its packets, and of the other nodes.
func TestSteeringInStatus(t *testing.T) {
	e := newEdge(t)
	text := e.configText() + e.steeringText()
	e.write(text)
	e.begin()
	e.awaitAnnounced()
	e.get("HTTP/3.0", "shop.example.com", "/")
	e.await("the other node is silent", func() bool {
		_, out := e.command("status")
		return strings.Contains(out, "beta") && strings.Contains(out, "silent")
	})
	_, out := e.command("status")
	for _, want := range []string{"steer", "initial ", "own ", "refused: none"} {
		if !strings.Contains(out, want) {
			t.Errorf("status lacks %q:\n%s", want, out)
		}
	}
	text = strings.Replace(text, "name: beta", "name: gamma", 1)
	e.write(text)
	if err := e.node.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, out := e.command("status"); !strings.Contains(out, "gamma") || strings.Contains(out, "beta") {
		t.Errorf("after the reload:\n%s", out)
	}
	e.write(strings.Replace(text, "host: 1", "host: 3", 1))
	if err := e.node.Reload(); err == nil || !strings.Contains(err.Error(), "fleet.steering: a reload can't change it") {
		t.Errorf("another host number: %v", err)
	}
}

// A client whose address changes, as behind a NAT that forgets, is found by the socket that has its connection.
func TestRebindingAmongWorkers(t *testing.T) {
	e := newEdge(t)
	text := strings.Replace(e.configText(), ", https: ", ", quic_workers: 4, https: ", 1) + e.steeringText()
	e.write(text)
	e.begin()
	e.awaitAnnounced()
	e.hasWorkers(4)
	e.roam()
	if _, out := e.command("status"); !strings.Contains(out, "other_worker ") {
		t.Errorf("nothing was handed over:\n%s", out)
	}
	e.write(strings.Replace(text, "quic_workers: 4", "quic_workers: 2", 1))
	if err := e.node.Reload(); err == nil || !strings.Contains(err.Error(), "vips.www.quic_workers: a reload can't change it") {
		t.Errorf("another number of workers: %v", err)
	}
}

// hasWorkers checks how many sockets for QUIC there are at the VIP.
func (e *edge) hasWorkers(want int) {
	e.t.Helper()
	got := 0
	for _, l := range e.node.live.Load().listeners {
		for _, b := range l.Bound() {
			if strings.HasPrefix(b.Name, "udp ") {
				got++
			}
		}
	}
	if got != want {
		e.t.Errorf("%d sockets for QUIC, not %d", got, want)
	}
}

// roam asks over one connection from one address after the other, and checks that a socket hands packets to another one.
func (e *edge) roam() {
	e.t.Helper()
	c := e.roamer()
	c.get("shop.example.com", "/")
	for range 16 { // that one socket gets all of them is as likely as 4^-16
		c.Rebind(e.t)
		c.get("shop.example.com", "/")
	}
	handed := uint64(0)
	for _, verdicts := range e.node.quic.Verdicts() {
		handed += verdicts[steer.OtherWorker]
	}
	if handed == 0 {
		e.t.Error("nothing was handed over")
	}
}

// It needs no fleet.
func TestRebindingWithoutSteering(t *testing.T) {
	if !steer.Supported {
		t.Skip("it is Linux's")
	}
	e := newEdge(t)
	e.write(strings.Replace(e.configText(), ", https: ", ", quic_workers: 4, https: ", 1))
	e.begin()
	e.awaitAnnounced()
	e.hasWorkers(4)
	e.roam()
}
