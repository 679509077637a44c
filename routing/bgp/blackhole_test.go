package bgp_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

var (
	host4 = netip.MustParsePrefix("198.51.100.10/32")
	drop4 = routing.Route{VIP: "www", Prefix: host4, Blackhole: true}
)

// awaitCommunities waits until a router has exactly these prefixes, and the first with exactly these communities.
func awaitCommunities(t *testing.T, r *bgptest.Router, want map[netip.Prefix]string) {
	t.Helper()
	waitRouter(t, r, "the routes with their communities", func() bool {
		table := r.Table()
		for _, route := range table {
			communities := slices.Sorted(slices.Values(route.Communities))
			if text, ok := want[route.Prefix]; !ok || strings.Join(communities, " ") != text {
				return false
			}
		}
		return len(table) == len(want)
	})
}

// settled checks that every Adj-RIB-Out is what was wanted, and that no session ended.
func (s *speaker) settled() {
	s.t.Helper()
	for _, e := range s.journal.Since(0) {
		if e.Kind == health.EventRoute && (strings.Contains(e.Text, "should") || strings.Contains(e.Text, "closed")) {
			s.t.Errorf("the journal says: %s", e.Text)
		}
	}
	for _, p := range s.Peers() {
		if p.Flaps > 0 {
			s.t.Errorf("the session with %s ended", p.Name)
		}
	}
}

// Only a peer that takes blackholes gets them, with the communities of RFC 7999, beside the route that attracts traffic.
func TestBlackhole(t *testing.T) {
	t.Parallel()
	takes, plain := startRouter(t, bgptest.Options{}), startRouter(t, bgptest.Options{Address: loopback(2)})
	o := options(peer("takes", takes, routerAS), peer("plain", plain, routerAS))
	o.Peers[0].Blackhole = true
	s := startSpeaker(t, o, prefix4, prefix6)
	s.established()
	if err := s.Set(t.Context(), append(routes(routing.Announced, prefix4), drop4)); err != nil {
		t.Fatal(err)
	}
	awaitCommunities(t, takes, map[netip.Prefix]string{prefix4: "", host4: "65535:65281 65535:666"})
	awaitCommunities(t, plain, map[netip.Prefix]string{prefix4: ""})
	if got := s.journalText(); !strings.Contains(got, "198.51.100.10/32 announced to be dropped") {
		t.Error(got)
	}

	// It has nothing to do with the VIP's level.
	if err := s.Set(t.Context(), []routing.Route{drop4}); err != nil {
		t.Fatal(err)
	}
	awaitCommunities(t, takes, map[netip.Prefix]string{host4: "65535:65281 65535:666"})
	awaitCommunities(t, plain, map[netip.Prefix]string{})
	s.set(routing.Announced, prefix4)
	awaitCommunities(t, takes, map[netip.Prefix]string{prefix4: ""})
	s.settled()
}

// A peer that begins or ceases to take blackholes keeps its session.
func TestBlackholeByReload(t *testing.T) {
	t.Parallel()
	r := startRouter(t, bgptest.Options{})
	o := options(peer("edge", r, routerAS))
	s := startSpeaker(t, o, prefix4)
	s.established()
	if err := s.Set(t.Context(), []routing.Route{drop4}); err == nil || !strings.Contains(err.Error(), "no peer has blackhole") {
		t.Errorf("nobody would drop it: %v", err)
	}
	o = options(o.Peers...)
	o.Peers[0].Blackhole = true
	s.configure(o, prefix4)
	if err := s.Set(t.Context(), []routing.Route{drop4}); err != nil {
		t.Fatal(err)
	}
	awaitCommunities(t, r, map[netip.Prefix]string{host4: "65535:65281 65535:666"})
	s.configure(options(peer("edge", r, routerAS)), prefix4)
	awaitCommunities(t, r, map[netip.Prefix]string{})
	s.settled()
}

func TestBlackholeIsRefused(t *testing.T) {
	o := options(peer("edge", startRouter(t, bgptest.Options{}), routerAS))
	o.Peers[0].Blackhole = true
	s := newSpeaker(t, o, prefix4)
	for _, p := range []string{"198.51.100.0/24", "198.51.100.0/25", "203.0.113.10/32", "2001:db8:100::1/128"} {
		route := routing.Route{VIP: "www", Prefix: netip.MustParsePrefix(p), Blackhole: true}
		if err := s.Set(t.Context(), []routing.Route{route}); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if err := s.Set(t.Context(), routes(routing.Announced, host4)); err == nil {
		t.Error("a single address is announced to attract traffic")
	}
}

// What a peer's configuration and the levels say comes together, and why it came to that as well, where that is wanted. A
// reload of it leaves the session alone.
func TestCommunitiesOfAPeer(t *testing.T) {
	t.Parallel()
	r, plain := startRouter(t, bgptest.Options{}), startRouter(t, bgptest.Options{Address: loopback(2)})
	o := options(peer("edge", r, routerAS), peer("plain", plain, routerAS))
	o.Peers[0].Communities = []string{"no-export", "64496:7", "64496:1:2"}
	s := startSpeaker(t, o, prefix4)
	s.established()
	s.set(routing.Announced, prefix4)
	awaitCommunities(t, r, map[netip.Prefix]string{prefix4: "64496:1:2 64496:7 65535:65281"})
	awaitCommunities(t, plain, map[netip.Prefix]string{prefix4: ""})

	o = options(o.Peers...)
	o.Informational = true
	o.Peers[0].Communities = []string{"64496:8"}
	s.configure(o, prefix4)
	if err := s.Set(t.Context(), []routing.Route{{VIP: "www", Prefix: prefix4, Level: routing.Depreferred, Reason: routing.OriginPathCritical}}); err != nil {
		t.Fatal(err)
	}
	awaitCommunities(t, r, map[netip.Prefix]string{prefix4: "64496:8 64512:9001:11 64512:9002:2 65535:0"})
	awaitCommunities(t, plain, map[netip.Prefix]string{prefix4: "64512:9001:11 64512:9002:2 65535:0"})

	o = options(peer("edge", r, routerAS), peer("plain", plain, routerAS))
	s.configure(o, prefix4)
	awaitCommunities(t, r, map[netip.Prefix]string{prefix4: "65535:0"})
	awaitCommunities(t, plain, map[netip.Prefix]string{prefix4: "65535:0"})
	s.settled()
}

func TestCommunitiesOfAPeerAreChecked(t *testing.T) {
	o := options(peer("edge", startRouter(t, bgptest.Options{}), routerAS))
	o.Peers[0].Communities = []string{"no-export", "no-import"}
	var got []string
	o.Check(func(key, problem string) { got = append(got, key+": "+problem) })
	if len(got) != 1 || !strings.HasPrefix(got[0], `peers[0].communities[1]: "no-import" is not a community`) {
		t.Errorf("got %q", got)
	}
}
