package steer

import (
	"net/netip"
	"testing"
	"time"
)

func TestDetours(t *testing.T) {
	var (
		d     detours
		start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		one   = netip.MustParseAddrPort("192.0.2.1:1000")
		two   = netip.MustParseAddrPort("192.0.2.1:1001")
		long  = func(s int) int {
			now := start.Add(time.Duration(s) * time.Second)
			return len(d.since(now.Add(-time.Minute), now))
		}
		note = func(c netip.AddrPort, s int) { d.note(c, start.Add(time.Duration(s)*time.Second)) }
	)
	for s := range 61 {
		note(one, s)
	}
	note(two, 60)
	if n := long(60); n != 0 {
		t.Errorf("%d after a minute", n)
	}
	if n := long(61); n != 1 {
		t.Errorf("%d after more than a minute, want the one", n)
	}
	d.end(one) // a datagram came by itself
	note(one, 62)
	if n := long(63); n != 0 {
		t.Errorf("%d although one came directly", n)
	}
	note(two, 69)
	note(two, 80) // after a pause: another detour
	if n := long(129); n != 0 || len(d.clients) != 0 || d.any.Load() {
		t.Errorf("%d, and %v is followed still", n, d.clients)
	}
}

func TestDetoursAreBounded(t *testing.T) {
	var d detours
	now := time.Now()
	for i := range maxDetours + 10 {
		d.note(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1), now)
	}
	if len(d.clients) != maxDetours {
		t.Errorf("%d clients are followed", len(d.clients))
	}
}
