package listener_test

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anyedge/anyedge/proxy/listener"
)

// rescue counts what it is told.
type rescue struct {
	refuse        bool
	begun, ended  atomic.Int64
	marked        atomic.Int64
	vip           atomic.Value // netip.AddrPort
	maxSegmentFor atomic.Value // netip.Addr
}

func (r *rescue) Serve(vip netip.AddrPort) (func(), error) {
	if r.refuse {
		return nil, errors.New("no")
	}
	r.begun.Add(1)
	r.vip.Store(vip)
	return func() { r.ended.Add(1) }, nil
}

func (r *rescue) MaxSegment(vip netip.Addr) int {
	r.maxSegmentFor.Store(vip)
	return 1400
}

func (r *rescue) Mark(*net.TCPConn) { r.marked.Add(1) }

// With a rescue every accepted connection is marked, and the VIP's segments are looked at until the listener has ended.
func TestRescue(t *testing.T) {
	r := &rescue{}
	e := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), func(c *listener.Config) { c.Rescue = r })
	for n, p := range []listener.Protocol{listener.H1, listener.H2} {
		resp, err := e.client(p).Get("https://" + e.https() + "/")
		must(t, err)
		_ = resp.Body.Close()
		if r.marked.Load() != int64(n+1) {
			t.Errorf("%d connections are marked, want %d", r.marked.Load(), n+1)
		}
	}
	if vip, _ := r.maxSegmentFor.Load().(netip.Addr); vip.String() != "127.0.0.1" {
		t.Errorf("segments of %v are limited", vip)
	}
	if r.begun.Load() == 0 || r.ended.Load() != 0 {
		t.Errorf("%d sockets begun, %d ended", r.begun.Load(), r.ended.Load())
	}
	e.cut()
	if r.ended.Load() != r.begun.Load() {
		t.Errorf("%d sockets begun, %d ended", r.begun.Load(), r.ended.Load())
	}
}

// A listener that can't be rescued isn't opened half.
func TestRescueRefuses(t *testing.T) {
	r := &rescue{refuse: true}
	c := listener.Config{
		VIP: "www", TLS: newEdge(t, nil).config.TLS, Rescue: r, Log: slog.New(slog.DiscardHandler),
		Options: listener.Options{Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, HTTPS: freePort(t)},
	}
	c.Limits.SetDefaults()
	if _, err := listener.Open(c); err == nil || !strings.Contains(err.Error(), "no") {
		t.Fatal(err)
	}
	r.refuse = false
	l, err := listener.Open(c)
	must(t, err) // the sockets were closed
	must(t, l.Shutdown(t.Context()))
	if r.ended.Load() != r.begun.Load() {
		t.Errorf("%d sockets begun, %d ended", r.begun.Load(), r.ended.Load())
	}
}
