package main

import (
	"strings"
	"testing"
)

// An operator has a router drop what is sent to the VIP, and takes that back; the VIP stays announced.
func TestBlackhole(t *testing.T) {
	e := newEdge(t)
	e.replace = []string{"asn: 64496}", "asn: 64496, blackhole: true}", "198.51.100.0/24", "127.0.0.0/24"}
	e.write(e.configText())
	e.begin()
	e.awaitAnnounced()
	if code, out := e.command("blackhole", "www", "--for", "30m", "--reason", "flood"); code != exitGood || !strings.Contains(out, "www: announced") {
		t.Fatalf("%d %s", code, out)
	}
	e.await("the router has the address, to be dropped", func() bool {
		table := e.router.Table()
		return len(table) == 2 && table[1].Prefix.String() == "127.0.0.1/32" && table[1].HasCommunity("65535:666")
	})
	if _, out := e.command("explain"); !strings.Contains(out, "peers shall drop what is sent to its addresses") || !strings.Contains(out, "flood") {
		t.Errorf("explain:\n%s", out)
	}
	if _, out := e.command("status"); !strings.Contains(out, "blackholed") || !strings.Contains(out, ": flood") {
		t.Errorf("status:\n%s", out)
	}
	if code, out := e.command("unblackhole"); code != exitGood {
		t.Fatalf("%d %s", code, out)
	}
	e.awaitAnnounced()
}

func TestBlackholeNeedsAPeer(t *testing.T) {
	e := startEdge(t)
	if code, out := e.command("blackhole", "www", "--for", "30m", "--reason", "flood"); code != exitBad || !strings.Contains(out, "bgp.peers[].blackhole") {
		t.Errorf("%d %s", code, out)
	}
	if code, out := e.command("blackhole", "www"); code != exitUsage || !strings.Contains(out, "for") {
		t.Errorf("%d %s", code, out)
	}
}
