package bgp_test

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bfd"
	"github.com/anyedge/anyedge/routing/bgp"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

// watch says of peers what the test wants it to.
type watch struct {
	changed func(netip.Addr, bfd.Change)

	mu       sync.Mutex // guards the following fields
	peers    []bfd.Peer
	statuses map[netip.Addr]bfd.Status
	taken    error // of the ports
	closed   int
}

func (w *watch) Set(peers []bfd.Peer) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken != nil {
		return w.taken
	}
	w.peers = peers
	return nil
}

func (w *watch) Status(a netip.Addr) (bfd.Status, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.peers {
		if p.Address == a && p.Enabled && !p.Idle {
			return w.statuses[a], true
		}
	}
	return bfd.Status{}, false
}

func (w *watch) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed++
}

// told are the peers that it was last given.
func (w *watch) told() []bfd.Peer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peers
}

// refuse has it say err from now on.
func (w *watch) refuse(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken = err
}

// closes says how often it was closed.
func (w *watch) closes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

// enter has the session with a change, as a monitor would tell it.
func (w *watch) enter(a netip.Addr, c bfd.Change) {
	w.mu.Lock()
	s := w.statuses[a]
	s.State, s.Remote, s.Reason, s.Detection = c.To, c.Remote, c.Reason(), c.Detection
	if c.Failure() {
		s.Failures++
	}
	w.statuses[a] = s
	w.mu.Unlock()
	w.changed(a, c)
}

// What a BFD session may do.
var (
	comesUp  = bfd.Change{From: bfd.Init, To: bfd.Up, Remote: bfd.Up, Detection: 900 * time.Millisecond}
	fails    = bfd.Change{From: bfd.Up, To: bfd.Down, Diagnostic: bfd.TimeExpired, Remote: bfd.Up, Detection: 900 * time.Millisecond}
	switched = bfd.Change{From: bfd.Up, To: bfd.Down, Diagnostic: bfd.NeighborDown, Remote: bfd.AdminDown}
)

func withBFD(p bgp.Peer) bgp.Peer {
	p.BFD.SetDefaults()
	p.BFD.Enabled = true
	return p
}

func strict(p bgp.Peer) bgp.Peer {
	p = withBFD(p)
	p.BFD.Strict = true
	return p
}

// startWatched starts a speaker whose peers are watched by the test.
func startWatched(t *testing.T, o bgp.Options, allowed ...netip.Prefix) (*speaker, *watch) {
	t.Helper()
	s := newSpeaker(t, o, allowed...)
	w := &watch{statuses: map[netip.Addr]bfd.Status{}}
	for _, p := range o.Peers {
		w.statuses[p.Address] = bfd.Status{State: bfd.Down, Remote: bfd.Down, Reason: "the router isn't heard"}
	}
	w.changed = s.UseWatch(w)
	s.start()
	return s, w
}

// A session comes up without BFD, which the router may not speak. That BFD fails ends it, and it comes back by itself; that
// the router's operator switches BFD off doesn't. Another router's session isn't concerned.
func TestBFDFails(t *testing.T) {
	t.Parallel()
	r, other := startRouter(t, bgptest.Options{}), startRouter(t, bgptest.Options{Address: loopback(2)})
	s, w := startWatched(t, options(withBFD(peer("r", r, routerAS)), peer("other", other, routerAS)), prefix4)
	s.set(routing.Announced, prefix4)
	s.established()
	waitTable(t, r, 1)
	s.await("BFD begins", func() bool { p := s.peer("r"); return p.BFD.String() == "BFD down: the router isn't heard" })
	if p := s.peer("other"); p.BFD != nil {
		t.Errorf("a peer without BFD: %+v", p.BFD)
	}
	w.enter(r.Address(), comesUp)
	if p := s.peer("r"); p.BFD.String() != "BFD up (900ms)" {
		t.Errorf("BFD is up: %s", p.BFD)
	}
	w.enter(r.Address(), switched)
	w.enter(r.Address(), comesUp)
	if !strings.Contains(s.journalText(), "signal r: r (127.0.0.1): BFD down: the router's operator has switched it off") {
		t.Errorf("journal:\n%s", s.journalText())
	}

	w.enter(r.Address(), fails)
	waitRouter(t, r, "the session's end", func() bool { return r.Session().LastDown != "" })
	if got, want := r.Session().LastDown, "NOTIFICATION 6/2 BFD down: nothing heard for 900ms"; got != want || r.Session().Count != 1 {
		t.Errorf("the router saw %+v, want %q", r.Session(), want)
	}
	s.await("the end is told", func() bool { return s.peer("r").Flaps == 1 })
	if p := s.peer("r"); p.LastError != "BFD down: nothing heard for 900ms" || p.BFD.Failures != 1 {
		t.Errorf("%+v", p)
	}
	for _, want := range []string{
		"signal r: r (127.0.0.1): BFD down: nothing heard for 900ms; its session ends",
		"route r: session with r (127.0.0.1) down: BFD down: nothing heard for 900ms",
	} {
		if !strings.Contains(s.journalText(), want) {
			t.Errorf("the journal doesn't say %q:\n%s", want, s.journalText())
		}
	}
	s.await("BFD ends with the session", func() bool {
		p := s.peer("r")
		return p.State == "established" || p.BFD.String() == "BFD begins with the BGP session"
	})
	waitRouter(t, r, "a new session", func() bool { return r.Session().Up && r.Session().Count == 2 })
	waitTable(t, r, 1)
	s.await("BFD begins again", func() bool { _, watched := w.Status(r.Address()); return watched })
	if other.Session().Count != 1 || !other.Session().Up {
		t.Errorf("the other router saw %+v", other.Session())
	}
}

// A failure while there is no session hits none that comes later.
func TestBFDFailsWithoutSession(t *testing.T) {
	t.Parallel()
	p := bgp.Peer{Name: "r", Address: loopback(2), Port: closedPort(t, loopback(2)), ASN: routerAS}
	s, w := startWatched(t, options(withBFD(p)), prefix4)
	w.enter(p.Address, comesUp)
	w.enter(p.Address, fails)
	r := startRouter(t, bgptest.Options{Address: p.Address, Port: p.Port})
	s.established()
	up(t, r)
	s.set(routing.Announced, prefix4)
	waitTable(t, r, 1)
	if got := r.Session(); got.Count != 1 || !got.Up {
		t.Errorf("the router saw %+v", got)
	}
}

// A strict peer's session waits for BFD, ends with it, and waits again; one that says AdminDown isn't waited for.
func TestStrict(t *testing.T) {
	t.Parallel()
	r, off := startRouter(t, bgptest.Options{}), startRouter(t, bgptest.Options{Address: loopback(2)})
	s, w := startWatched(t, options(strict(peer("r", r, routerAS)), strict(peer("off", off, routerAS))), prefix4)
	s.set(routing.Announced, prefix4)
	w.enter(off.Address(), bfd.Change{From: bfd.Up, To: bfd.Down, Diagnostic: bfd.NeighborDown, Remote: bfd.AdminDown})
	waitTable(t, off, 1)
	const waits = "waits for BFD, which is down (strict): the router isn't heard"
	s.await("it waits", func() bool { p := s.peer("r"); return p.State == "idle" && p.LastError == waits })
	if r.Session().Count != 0 {
		t.Errorf("without BFD the router saw %+v", r.Session())
	}
	w.enter(r.Address(), comesUp)
	waitTable(t, r, 1)
	s.await("the session is told", func() bool { return s.peer("r").State == "established" })

	w.enter(r.Address(), fails)
	s.await("the end is told", func() bool {
		p := s.peer("r")
		return p.State == "idle" && strings.HasPrefix(p.LastError, "waits for BFD, which is down (strict): nothing heard for 900ms; the last session ended: BFD down")
	})
	w.enter(r.Address(), comesUp)
	waitRouter(t, r, "a new session", func() bool { return r.Session().Count == 2 && len(r.Table()) == 1 })
}

// BFD is switched on and off, and made strict, without a new BGP session. A port that is taken is an error that changes
// nothing, and at the start one that ends it.
func TestConfigureBFD(t *testing.T) {
	t.Parallel()
	r := startRouter(t, bgptest.Options{})
	plain := peer("r", r, routerAS)
	s, w := startWatched(t, options(plain), prefix4)
	s.set(routing.Announced, prefix4)
	waitTable(t, r, 1)
	s.established()
	for _, p := range []bgp.Peer{withBFD(plain), strict(plain), plain} {
		if err := s.Configure(t.Context(), options(p), []netip.Prefix{prefix4}); err != nil {
			t.Fatal(err)
		}
		if got := s.peer("r").BFD; (got != nil) != p.BFD.Enabled {
			t.Errorf("enabled: %t, reported: %+v", p.BFD.Enabled, got)
		}
	}
	taken := errors.New("port taken")
	w.refuse(taken)
	if err := s.Configure(t.Context(), options(withBFD(plain)), nil); !errors.Is(err, taken) {
		t.Errorf("error %v", err)
	}
	if got := r.Session(); got.Count != 1 || !got.Up || len(r.Table()) != 1 {
		t.Errorf("the router saw %+v and has %v", got, r.Table())
	}
	if err := s.Stop(deadline(t), "bye"); err != nil || w.closes() != 1 {
		t.Errorf("stop: %v; BFD closed %d times", err, w.closes())
	}

	other := newSpeaker(t, options(withBFD(plain)))
	other.UseWatch(&watch{taken: taken})
	if err := other.Start(t.Context()); !errors.Is(err, taken) {
		t.Errorf("start: error %v", err)
	}
}

// What BFD is told of the peers: BGP's own addresses, and several hops where BGP has them.
func TestWatchedPeers(t *testing.T) {
	t.Parallel()
	o := options()
	for i, change := range []func(*bgp.Peer){
		func(*bgp.Peer) {},
		func(p *bgp.Peer) { p.LocalAddress = loopback(9) },
		func(p *bgp.Peer) { p.TTLSecurity = 1 },
		func(p *bgp.Peer) { p.TTLSecurity = 2 },
		func(p *bgp.Peer) { p.Multihop, p.BFD.Strict = 4, true },
	} {
		p := withBFD(bgp.Peer{Name: string(rune('a' + i)), Address: loopback(byte(20 + i)), Port: closedPort(t, loopback(1)), ASN: routerAS})
		change(&p)
		o.Peers = append(o.Peers, p)
	}
	_, w := startWatched(t, o)
	var hops []bool
	for _, p := range w.told() {
		hops = append(hops, p.Multihop)
		if !p.Enabled || p.MinTx != 300*time.Millisecond || p.Local.IsValid() != (p.Address == loopback(21)) || p.Idle == p.Strict {
			t.Errorf("%+v", p)
		}
	}
	if len(hops) != 5 || hops[0] || hops[1] || hops[2] || !hops[3] || !hops[4] {
		t.Errorf("over several hops: %v", hops)
	}
}

// The figures of BFD are there for peers that have it.
func TestBFDMetrics(t *testing.T) {
	t.Parallel()
	nobody := bgp.Peer{Name: "nobody", Address: loopback(2), Port: closedPort(t, loopback(2)), ASN: routerAS}
	plain := bgp.Peer{Name: "plain", Address: loopback(3), Port: closedPort(t, loopback(3)), ASN: routerAS}
	s, w := startWatched(t, options(strict(nobody), plain))
	w.enter(nobody.Address, comesUp)
	w.enter(nobody.Address, fails)
	w.enter(nobody.Address, comesUp)
	got := gather(t, s.Collector())
	for name, want := range map[string]float64{
		"anyedge_bgp_bfd_up nobody":                      1,
		"anyedge_bgp_bfd_failures_total nobody":          1,
		"anyedge_bgp_bfd_discarded_packets_total nobody": 0,
	} {
		if v, there := got[name]; !there || v != want {
			t.Errorf("%s is %v (there: %t), want %v", name, v, there, want)
		}
	}
	if _, there := got["anyedge_bgp_bfd_up plain"]; there {
		t.Error("a peer without BFD has its figures")
	}
}
