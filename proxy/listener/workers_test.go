//go:build linux

package listener_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/anyedge/anyedge/proxy/listener"
)

// Clients are spread over the sockets of an address, each with its connection IDs; outside nothing shows of them.
func TestWorkers(t *testing.T) {
	noLeak(t)
	s := &steering{}
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Steering, c.QUICWorkers = s, 4 })
	if n := s.wraps.Load(); n != 4 {
		t.Fatalf("%d sockets", n)
	}
	const clients = 64 // that none of them comes to a worker is as likely as 10^-8
	for range clients {
		e.h3Conn()
	}
	for w := range 4 {
		if n := s.madeBy[w].Load(); n == 0 {
			t.Errorf("worker %d made no connection ID", w)
		}
	}
	eventually(t, "every connection is counted", func() bool { return e.metric("connections_total", "vip=www", "protocol=h3") == clients })
	if n := len(e.Addrs()); n != 3 {
		t.Errorf("%d addresses: %v", n, e.Addrs())
	}
	e.cut()
	e.ended()
	if n := s.close.Load(); n != 4 {
		t.Errorf("%d sockets were closed", n)
	}
}

// How many workers there are: without steering one, for there would be nothing to find them by.
func TestNumberOfWorkers(t *testing.T) {
	without := newEdge(t, http.HandlerFunc(describe), func(c *listener.Config) { c.QUICWorkers = 4 })
	if n := holders(t, without.https()); n != 1 {
		t.Errorf("%d sockets without steering", n)
	}
	s := &steering{}
	e := newEdge(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Steering = s })
	if n := int64(holders(t, e.https())); n != s.wraps.Load() || n < 1 || n > 8 {
		t.Errorf("%d sockets by default, of which %d are steered", n, s.wraps.Load())
	}
	for workers, wrong := range map[int]bool{-1: true, 0: false, 1: false, 64: false, 65: true} {
		o := e.config.Options
		o.QUICWorkers = workers
		mistakes := 0
		o.Check(func(key, problem string) {
			if mistakes++; key != "quic_workers" || !strings.Contains(problem, "between 1 and 64") {
				t.Errorf("%s: %s", key, problem)
			}
		})
		if (mistakes == 1) != wrong {
			t.Errorf("%d workers: %d mistakes", workers, mistakes)
		}
	}
}

// holders is how many UDP sockets have an address.
func holders(t *testing.T, at string) (n int) {
	t.Helper()
	a, err := net.ResolveUDPAddr("udp4", at)
	must(t, err)
	ip := a.IP.To4()
	want := fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], a.Port) // little-endian, as processors are
	all, err := os.ReadFile("/proc/self/net/udp")
	must(t, err)
	for line := range strings.Lines(string(all)) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == want {
			n++
		}
	}
	return n
}

// Workers share a port with each other alone: who has it before is an error, whether it would share or not, and so is a second
// listener with workers.
func TestWorkersShareWithNobody(t *testing.T) {
	workers := func(c *listener.Config) { c.Steering, c.QUICWorkers = &steering{}, 4 }
	e := newEdge(t, http.HandlerFunc(describe), workers)
	inUse := "listen on " + e.https() + "/udp: the port is in use: see by whom: ss -lnup"
	for _, count := range []int{1, 4} {
		second := e.config
		second.Steering, second.QUICWorkers = &steering{}, count
		if _, err := listener.Open(second); err == nil || !strings.Contains(err.Error(), inUse) {
			t.Errorf("a second one with %d workers: %v", count, err)
		}
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	}}
	config := e.config
	config.HTTPS, config.HTTP = freePort(t), freePort(t)
	taken, err := lc.ListenPacket(context.Background(), "udp4", fmt.Sprintf("127.0.0.1:%d", config.HTTPS))
	must(t, err)
	if _, err := listener.Open(config); err == nil || !strings.Contains(err.Error(), "the port is in use") {
		t.Errorf("beside a socket that would share: %v", err)
	}
	must(t, taken.Close())
	l, err := listener.Open(config) // nothing was left bound
	must(t, err)
	must(t, l.Shutdown(t.Context()))
}

// A process that takes over has as many workers as the one before: a socket that nobody read would keep what comes to it.
func TestWorkersAreInherited(t *testing.T) {
	e := newEdge(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Steering, c.QUICWorkers = &steering{}, 3 })
	s := &steering{}
	next := newEdge(t, http.HandlerFunc(describe), func(c *listener.Config) {
		c.Options, c.Inherited, c.Steering, c.QUICWorkers = e.config.Options, e.inherit(), s, 2
	})
	if n := s.wraps.Load(); n != 3 {
		t.Errorf("%d workers", n)
	}
	var bound []string
	for _, b := range next.Bound() {
		bound = append(bound, b.Name)
	}
	udp := "udp " + e.https()
	if want := []string{"tcp " + e.https(), "tcp " + e.http(), udp, udp, udp}; !slices.Equal(bound, want) {
		t.Errorf("%q, want %q", bound, want)
	}
}
