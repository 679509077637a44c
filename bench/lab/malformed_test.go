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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

// badPort is where the routers listen that say what no router should.
const badPort = 1790

// badRouter is the address of one of them.
func badRouter(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + i)}) }

// What some routers send must not cost a node its routes at others: each of a corpus of malformed UPDATEs, over a session of
// its own with a running node. The process lives, its sessions with the metro's router stay, nothing moves, and whoever sent
// it has our routes, at the latest when its session is back.
func TestMalformedUpdates(t *testing.T) {
	corpus := slices.Sorted(maps.Keys(bgptest.Malformed()))
	f := assemble(t)
	s := lab.Quick()
	for i := range corpus {
		f.Ams.Edge.Address(badRouter(i))
		s.Peers += fmt.Sprintf("    - {name: bad%d, address: %s, port: %d, asn: %d}\n", i, badRouter(i), badPort, routerAS)
	}
	f.Start(s, f.Ams)
	f.Start(lab.Quick(), f.Fra)
	f.waitNormal(upLimit)
	bad := f.Ams.Edge.Program("malformed")
	bad.WaitLog("all have our route", upLimit)
	load := f.Load(vip4, "/page", 20*time.Millisecond)
	f.waitAnswersBy(load, "ams-1", time.Now(), 10)

	begin := time.Now()
	bad.WaitLog("all is said", moveLimit)
	f.cli(t, "force", "www", "1", "--for", "5m", "--reason", "a change after that")
	bad.WaitLog("all have our route at its new level", upLimit)
	t.Logf("%d routers, each with an UPDATE of its own:\n%s", len(corpus), bad.Output())
	for _, p := range lab.Prefixes() {
		if path, ok := learned(f.Ams, p); !ok || len(path.ASPath) != 2 {
			t.Errorf("edge-ams has %s as %v, want one prepend", p, path)
		}
		for _, e := range f.ams.History(p) {
			if e.At.After(begin) && (e.Gone || !strings.Contains(fmt.Sprint(e), "ams-1")) {
				t.Errorf("edge-ams: %v", e)
			}
		}
	}
	f.checkSessions(t, "edge4", "edge6")
	t.Logf("explain:\n%s", f.Ams.Node.Explain())
	checkFailures(t, "stored", load.Stop())
}

// checkSessions checks that sessions of ams's node are up and never went down.
func (f *fleet) checkSessions(t *testing.T, names ...string) {
	t.Helper()
	text, err := f.Ams.Node.Get("/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	var status struct {
		Peers []struct {
			Name, State string
			Flaps       int
		}
	}
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		t.Fatal(err)
	}
	for _, p := range status.Peers {
		if slices.Contains(names, p.Name) && (p.State != "established" || p.Flaps != 0) {
			t.Errorf("session with %s: %s, %d times down", p.Name, p.State, p.Flaps)
		}
	}
}

// sayMalformed is a router for each of the corpus. It waits for our route, says what it has to, and waits for our route anew.
func sayMalformed(ctx context.Context, _ []string) error {
	corpus := bgptest.Malformed()
	var routers []*bgptest.Router
	names := slices.Sorted(maps.Keys(corpus))
	for i := range names {
		r, err := bgptest.Start(bgptest.Options{Address: badRouter(i), Port: badPort, ASN: routerAS, PeerASN: lab.NodeAS}, slog.New(slog.NewTextHandler(os.Stderr, nil)))
		if err != nil {
			return err
		}
		defer r.Close()
		routers = append(routers, r)
	}
	has := func(prepends int) func(*bgptest.Router) bool {
		return func(r *bgptest.Router) bool {
			return slices.ContainsFunc(r.Table(), func(o bgptest.Route) bool { return o.Prefix == lab.Prefix4 && len(o.ASPath) == 1+prepends })
		}
	}
	if err := waitAll(ctx, routers, has(0)); err != nil {
		return err
	}
	fmt.Println("all have our route")
	for i, name := range names {
		if err := routers[i].Send(corpus[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	fmt.Println("all is said")
	if err := waitAll(ctx, routers, has(1)); err != nil {
		return err
	}
	for i, name := range names {
		s := routers[i].Session()
		what := "the session stays"
		if s.Count > 1 {
			what = fmt.Sprintf("a new session after %s", s.LastDown)
		}
		fmt.Printf("%-40s %s\n", name, what)
	}
	fmt.Println("all have our route at its new level")
	<-ctx.Done()
	return nil
}

// waitAll waits until every router is as wanted.
func waitAll(ctx context.Context, routers []*bgptest.Router, met func(*bgptest.Router) bool) error {
	errs := make(chan error, len(routers))
	var all sync.WaitGroup
	for _, r := range routers {
		all.Go(func() { errs <- r.Wait(ctx, func() bool { return met(r) }) })
	}
	all.Wait()
	for range routers {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}
