package bfd_test

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing/bfd"
)

// Packets leave with a TTL of 255 from a port that routers expect, and how many hops one came over is known.
func TestSockets(t *testing.T) {
	for _, loopback := range []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()} {
		at, err := bfd.Listen(loopback)
		if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
			t.Logf("%s: %v", loopback, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(at.Close)
		for _, ttl := range []int{255, 64} {
			port, err := at.SendFrom(loopback, ttl, good())
			if err != nil {
				t.Fatal(err)
			}
			from, got, octets, err := at.Read()
			if err != nil || from != loopback || got != ttl || string(octets) != string(good()) {
				t.Errorf("%s: from %s, TTL %d, %x, %v; want TTL %d", loopback, from, got, octets, err, ttl)
			}
			if ttl == 255 && port < 49152 {
				t.Errorf("sent from port %d", port)
			}
			if runtime.GOOS != "linux" {
				continue
			}
			for range 2 {
				if _, err := at.SendFrom(loopback, ttl, good()); err != nil {
					t.Fatal(err)
				}
			}
			var waiting []string
			for give := time.Now().Add(10 * time.Second); len(waiting) < 2 && time.Now().Before(give); {
				waiting = append(waiting, at.Waiting()...) // a busy kernel may deliver later
			}
			if want := fmt.Sprintf("%s TTL %d %x", loopback, ttl, good()); len(waiting) != 2 || waiting[0] != want || waiting[1] != want {
				t.Errorf("waiting: %q, want %q twice", waiting, want)
			}
		}
	}
}
