package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/routing"
)

// withAnnounce is a configuration that differs from others in what it announces.
func withAnnounce(t *testing.T, announce, more string) *configs.Config {
	t.Helper()
	cfg, err := configs.Parse("node.yaml", []byte(`node: {name: a, address: 192.0.2.11}
vips:
  www: {addresses: [198.51.100.10], announce: [`+announce+`], https: 443}
origins: {shop: {servers: ["http://192.0.2.80"]}}
sites: {shop: {hosts: [shop.example.com], origin: shop}}
bgp: {asn: 64512, router_id: 192.0.2.11, lab: true, peers: [{name: edge-a, address: 192.0.2.1, asn: 64496}]`+more+`}
`))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestUnconfirmed(t *testing.T) {
	const had = "198.51.100.0/24, 203.0.113.0/24"
	for _, c := range []struct {
		name, announce, more string
		drained              bool
		want                 string // the prefix that is missed, empty for none
	}{
		{name: "the same", announce: had},
		{name: "one more", announce: had + ", 192.0.2.0/24"},
		{name: "one less", announce: "198.51.100.0/24", want: "203.0.113.0/24"},
		{name: "longer", announce: "198.51.100.0/24, 203.0.113.0/25", want: "203.0.113.0/24"},
		{name: "covered", announce: "198.51.100.0/24, 203.0.112.0/23"},
		{name: "drained", announce: "198.51.100.0/24", drained: true},
		{name: "confirmed", announce: "198.51.100.0/24", more: ", confirm_withdraw: [203.0.113.0/24]"},
		{name: "another one confirmed", announce: "198.51.100.0/24", more: ", confirm_withdraw: [203.0.113.0/25]", want: "203.0.113.0/24"},
	} {
		err := unconfirmed(withAnnounce(t, had, ""), withAnnounce(t, c.announce, c.more), map[string]bool{"www": !c.drained})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), "node.yaml:3:47: vips.www.announce: a reload would end the announcement of "+c.want)):
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Without peers nothing is announced, whatever the VIPs say.
func TestUnconfirmedWithoutPeers(t *testing.T) {
	old, cfg := withAnnounce(t, "198.51.100.0/24", ""), withAnnounce(t, "198.51.100.0/24", "")
	cfg.BGP.Peers = nil
	if err := unconfirmed(old, cfg, map[string]bool{"www": true}); err == nil {
		t.Error("the last peer goes without a word")
	}
}

func TestCovered(t *testing.T) {
	for p, want := range map[string]bool{"10.0.0.0/8": true, "10.1.0.0/16": true, "10.0.0.0/7": false, "11.0.0.0/8": false, "2001:db8::/32": false} {
		if got := covered(netip.MustParsePrefix(p), []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}); got != want {
			t.Errorf("%s: %t", p, got)
		}
	}
}

// A reload that would end an announcement changes nothing, and says how it would.
func TestReloadKeepsWhatIsAnnounced(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	e.replace = []string{"198.51.100.0/24", "203.0.113.0/24"}
	e.write(e.configText())
	err := e.node.Reload()
	if err == nil || !strings.Contains(err.Error(), e.file+":3:43: vips.www.announce: a reload would end the announcement of 198.51.100.0/24: drain www first") {
		t.Fatalf("%v", err)
	}
	code, out := e.command("check", "-c", e.file, "--diff")
	for _, want := range []string{"-  198.51.100.0/24  www  router  0: plain; 1: prepend 1", "+  203.0.113.0/24   www  router", "drain www first", "a reload would refuse this"} {
		if code != exitBad || !strings.Contains(out, want) {
			t.Errorf("%d; want %q in\n%s", code, want, out)
		}
	}

	if code, out := e.command("drain"); code != exitGood {
		t.Fatalf("%d %s", code, out)
	}
	e.await("withdrawn", func() bool { return e.level() == routing.Withdrawn })
	if code, out := e.command("check", "-c", e.file, "--diff"); code != exitGood {
		t.Errorf("drained: %d\n%s", code, out)
	}
	if err := e.node.Reload(); err != nil {
		t.Errorf("drained: %v", err)
	}
	if code, out := e.command("check", "-c", e.file, "--diff"); code != exitGood || !strings.Contains(out, "the routes stay as they are") {
		t.Errorf("after the reload: %d\n%s", code, out)
	}
}

func TestCheckAgainst(t *testing.T) {
	dir := t.TempDir()
	write := func(name, announce string) string {
		file := filepath.Join(dir, name)
		text := "node: {name: a, address: 192.0.2.11}\nvips: {www: {addresses: [198.51.100.10], announce: [" + announce + "], http: 80, plain: true}}\n" +
			"bgp: {asn: 64512, router_id: 192.0.2.11, peers: [{name: edge-a, address: 192.0.2.1, asn: 64496}]}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	before, after := write("before.yaml", "198.51.100.0/24"), write("after.yaml", "198.51.100.0/24, 203.0.113.0/24")
	if code, out := command(t, "check", "-c", after, "--against", before); code != exitGood || !strings.Contains(out, "+  203.0.113.0/24") {
		t.Errorf("%d\n%s", code, out)
	}
	if code, out := command(t, "check", "-c", before, "--against", after); code != exitBad || !strings.Contains(out, "the announcement of 203.0.113.0/24") {
		t.Errorf("%d\n%s", code, out)
	}
	if code, out := command(t, "check", "-c", before, "--against", filepath.Join(dir, "gone.yaml")); code != exitBad || !strings.Contains(out, "gone.yaml") {
		t.Errorf("%d\n%s", code, out)
	}
}
