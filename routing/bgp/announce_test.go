package bgp_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

func ptr(n uint32) *uint32 { return &n }

// ladder uses every attribute, so that a level shows in each.
var ladder = map[int]bgp.Attributes{
	0: {},
	1: {Prepend: 1, LocalPref: ptr(50), Communities: []string{"64512:1", "no-export"}},
	2: {Prepend: 3, MED: 65535, LocalPref: ptr(0), GracefulShutdown: true, Communities: []string{"64512:1:2", "64512:70", "64512:70"}},
}

// What eBGP and iBGP peers must see of ladder, apart from prefix and next hop.
var (
	external = []bgptest.Route{
		{ASPath: []uint32{ownAS}},
		{ASPath: []uint32{ownAS, ownAS}, Communities: []string{"64512:1", "65535:65281"}},
		{ASPath: []uint32{ownAS, ownAS, ownAS, ownAS}, MED: ptr(65535), Communities: []string{"64512:70", "65535:0", "64512:1:2"}},
		{ASPath: []uint32{ownAS, ownAS, ownAS, ownAS}, MED: ptr(65535), Communities: []string{"64512:70", "65535:0", "64512:1:2"}},
	}
	internal = []bgptest.Route{
		{LocalPref: ptr(100)},
		{LocalPref: ptr(50), Communities: []string{"64512:1", "65535:65281"}},
		{LocalPref: ptr(0), MED: ptr(65535), Communities: []string{"64512:70", "65535:0", "64512:1:2"}},
		{LocalPref: ptr(0), MED: ptr(65535), Communities: []string{"64512:70", "65535:0", "64512:1:2"}},
	}
)

// show is a route with its prefix and next hop replaced by those given.
func show(r bgptest.Route, p netip.Prefix, nextHop string) string {
	r.Prefix, r.NextHop = p, netip.MustParseAddr(nextHop)
	return r.String()
}

// last is what the newest UPDATE announced.
func last(t *testing.T, r *bgptest.Router) string {
	t.Helper()
	u := r.Updates()
	if len(u) == 0 || len(u[len(u)-1].Announced) != 1 || len(u[len(u)-1].Withdrawn) != 0 {
		t.Fatalf("the newest UPDATE should announce one route: %+v", u)
	}
	return u[len(u)-1].Announced[0].String()
}

// Each level's attributes, as eBGP and iBGP peers get them over IPv4 and IPv6, each change in one UPDATE.
func TestLevels(t *testing.T) {
	t.Parallel()
	ebgp := startRouter(t, bgptest.Options{})
	ibgp := startRouter(t, bgptest.Options{Address: loopback(2), ASN: ownAS})
	hops := startRouter(t, bgptest.Options{Address: loopback(3)})
	six := startRouter(t, bgptest.Options{Address: netip.IPv6Loopback()})
	nextHop := peer("hops", hops, routerAS)
	nextHop.NextHop = netip.MustParseAddr("192.0.2.77")
	o := options(peer("ebgp", ebgp, routerAS), peer("ibgp", ibgp, ownAS), peer("six", six, routerAS), nextHop)
	o.Levels = ladder
	s := startSpeaker(t, o, prefix4, prefix6)
	s.established()

	updates := 0
	for _, level := range []routing.Level{0, 1, 2, 0, 2, 1, 0, 3} {
		s.set(level, prefix4, prefix6)
		updates++
		for _, r := range []*bgptest.Router{ebgp, ibgp, six, hops} {
			waitRouter(t, r, fmt.Sprintf("UPDATE %d", updates), func() bool { return len(r.Updates()) == updates })
		}
		for _, seen := range []struct{ got, want string }{
			{last(t, ebgp), show(external[level], prefix4, "127.0.0.1")},
			{last(t, ibgp), show(internal[level], prefix4, "127.0.0.1")},
			{last(t, six), show(external[level], prefix6, "::1")},
			{last(t, hops), show(external[level], prefix4, "192.0.2.77")},
		} {
			if seen.got != seen.want {
				t.Errorf("level %d:\n got %s\nwant %s", level, seen.got, seen.want)
			}
		}
		if d := s.Divergence(); len(d) > 0 {
			t.Errorf("level %d: %v", level, d)
		}
	}
}

// Set says what is wanted, before there is a session as after: nobody sees an UPDATE for what doesn't change, and a
// withdrawal takes all that it should and nothing else.
func TestSetIsDesiredState(t *testing.T) {
	t.Parallel()
	r := startRouter(t, bgptest.Options{})
	s := newSpeaker(t, options(peer("r", r, routerAS)), prefix4, other4)
	s.set(routing.Announced, prefix4)
	s.start()
	s.set(routing.Depreferred, prefix4, other4)
	for _, route := range waitTable(t, r, 2) {
		if !route.HasCommunity("65535:0") {
			t.Errorf("set before the session was up, and to be depreferred: %s", route)
		}
	}
	s.established()

	s.set(routing.Announced, prefix4, other4)
	waitRouter(t, r, "both as new", func() bool {
		return !slices.ContainsFunc(r.Table(), func(r bgptest.Route) bool { return r.HasCommunity("65535:0") })
	})
	before := len(r.Updates())
	s.set(routing.Announced, other4, prefix4)
	s.set(routing.Announced, prefix4)
	if got := waitTable(t, r, 1); got[0].Prefix != prefix4 {
		t.Errorf("left in the table: %v", got)
	}
	if u := r.Updates()[before:]; len(u) != 1 || !slices.Equal(u[0].Withdrawn, []netip.Prefix{other4}) {
		t.Errorf("UPDATEs after the first: %+v; want one that withdraws %s", u, other4)
	}
	s.set(routing.Announced)
	waitTable(t, r, 0)

	// Where two VIPs share a prefix the less attractive level holds, in whichever order they come.
	for _, order := range [][]routing.Level{{routing.Announced, routing.Depreferred}, {routing.Depreferred, routing.Announced}} {
		both := append(routes(order[0], prefix4), routes(order[1], prefix4)...)
		if err := s.Set(t.Context(), both); err != nil {
			t.Fatal(err)
		}
		if got := waitTable(t, r, 1)[0]; !got.HasCommunity("65535:0") {
			t.Errorf("levels %v: %s", order, got)
		}
	}
}

// A thousand prefixes change their level in one call, quickly.
func TestManyPrefixes(t *testing.T) {
	t.Parallel()
	r := startRouter(t, bgptest.Options{})
	var all []netip.Prefix
	for i := range 1000 {
		all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{100, byte(128 + i>>8), byte(i), 0}), 24))
	}
	s := startSpeaker(t, options(peer("r", r, routerAS)), all...)
	s.established()
	s.set(routing.Announced, all...)
	s.set(routing.Depreferred, all...)
	depreferred := func(table []bgptest.Route) bool {
		return len(table) == len(all) && !slices.ContainsFunc(table, func(r bgptest.Route) bool { return !r.HasCommunity("65535:0") })
	}
	waitRouter(t, r, "all depreferred", func() bool { return depreferred(r.Table()) })
	for _, u := range r.Updates() {
		if len(u.Withdrawn) > 0 {
			t.Fatalf("a change of level withdrew %v", u.Withdrawn)
		}
	}
}
