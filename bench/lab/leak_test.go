//go:build lab

package lab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
)

const routerAS = 64510

// foreign are prefixes that the speaker isn't configured to announce: others', a part and the whole of ours, all.
var foreign = []netip.Prefix{
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("198.51.100.128/25"),
	netip.MustParsePrefix("198.51.0.0/16"),
	netip.MustParsePrefix("0.0.0.0/0"),
	netip.MustParsePrefix("2001:db8:bad::/48"),
	netip.MustParsePrefix("::/0"),
}

// What isn't configured never leaves: not when the speaker is asked for it, not when it is in GoBGP's table all the
// same, and not when a router sends it. The speaker has a session for each family with a BIRD and an FRR, which send
// it routes and would take each other's from it.
func TestLeak(t *testing.T) {
	l := lab.New(t)
	speaker, bird, frr := l.Host("speaker"), l.Router("bird"), l.Router("frr")
	toBIRD, toFRR := l.Link(bird, speaker), l.Link(frr, speaker)
	onBIRD, onFRR := toBIRD.A.Capture("tcp port 179"), toFRR.A.Capture("tcp port 179")
	bird.BIRD(leakConfig(t, "leak.bird.conf", toBIRD))
	frr.FRR(leakConfig(t, "leak.frr.conf", toFRR))
	fibs := []*lab.FIB{bird.WatchFIB(), frr.WatchFIB()}

	p := speaker.Program("leak", leakOptions(t, toBIRD, toFRR))
	for _, fib := range fibs {
		for _, prefix := range lab.Prefixes() {
			fib.WaitVia(prefix, "speaker", upLimit)
		}
	}
	l.Await("both routers send the speaker their routes", moveLimit, func() bool {
		return len(announced(onBIRD.Updates(), toBIRD.A)) >= 2 && len(announced(onFRR.Updates(), toFRR.A)) >= 2
	})
	checkRefused(t, p.Output())
	p.Signal(syscall.SIGTERM)
	for _, fib := range fibs {
		for _, prefix := range lab.Prefixes() {
			fib.WaitGone(prefix, moveLimit)
		}
	}
	if err := p.Wait(moveLimit); err != nil {
		t.Errorf("the speaker: %v", err)
	}
	checkExported(t, "BIRD", announced(onBIRD.Stop(), toBIRD.B))
	checkExported(t, "FRR", announced(onFRR.Stop(), toFRR.B))
}

// checkRefused checks that the speaker has named every foreign prefix that it was asked to announce.
func checkRefused(t *testing.T, output string) {
	t.Helper()
	for _, p := range foreign {
		if !strings.Contains(output, p.String()) {
			t.Errorf("asked for %s, the speaker doesn't name it:\n%s", p, output)
		}
	}
}

// checkExported checks that the configured prefixes were announced to a router, and nothing else.
func checkExported(t *testing.T, router string, sent []netip.Prefix) {
	t.Helper()
	want := slices.SortedFunc(slices.Values(lab.Prefixes()), netip.Prefix.Compare)
	if !slices.Equal(sent, want) {
		t.Errorf("%s was sent %v, want %v", router, sent, want)
	}
	t.Logf("%s was sent %v", router, sent)
}

// announced are the prefixes that one end of a link announced over it.
func announced(updates []lab.Update, by lab.End) []netip.Prefix {
	set := map[netip.Prefix]bool{}
	for _, u := range updates {
		if u.From != by.V4 && u.From != by.V6 {
			continue
		}
		for _, p := range u.Announced {
			set[p] = true
		}
	}
	return slices.SortedFunc(maps.Keys(set), netip.Prefix.Compare)
}

func leakConfig(t *testing.T, file string, link *lab.Link) string {
	t.Helper()
	return execute(t, file, map[string]any{
		"Speaker": link.B, "RouterAS": routerAS, "NodeAS": lab.NodeAS, "Password": leakPassword,
	})
}

const leakPassword = "lab-password"

// leakOptions are the speaker's, as an argument of its program.
func leakOptions(t *testing.T, links ...*lab.Link) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(leakPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := bgp.Options{}
	o.SetDefaults()
	o.ASN, o.RouterID, o.Lab = lab.NodeAS, links[0].B.V4, true
	for _, k := range links {
		for _, a := range []netip.Addr{k.A.V4, k.A.V6} {
			o.Peers = append(o.Peers, bgp.Peer{
				Name: k.A.Host.Name + a.String(), Address: a, Port: 179, ASN: routerAS, PasswordFile: file, TTLSecurity: 1,
			})
		}
	}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// leak is the speaker: it is asked for the configured prefixes and the foreign ones and says what it refuses, and
// finds the foreign ones in GoBGP's table again and again, before its sessions are up and after.
func leak(ctx context.Context, args []string) error {
	var o bgp.Options
	if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
		return err
	}
	s, err := bgp.New(o, lab.Prefixes(), nil, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	var routes []routing.Route
	for _, p := range slices.Concat(foreign, lab.Prefixes()) {
		routes = append(routes, routing.Route{VIP: "www", Prefix: p})
	}
	fmt.Println("refused:", s.Set(ctx, routes))
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for ctx.Err() == nil {
		if err := s.Smuggle(foreign...); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-again.C:
		}
	}
	return nil
}
