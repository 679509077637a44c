package bgp_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

func (s *speaker) configure(o bgp.Options, allowed ...netip.Prefix) {
	s.t.Helper()
	if err := s.Configure(s.t.Context(), o, allowed); err != nil {
		s.t.Fatal(err)
	}
}

// A reload changes what it changes: a session whose configuration is the same stays, through every kind of change.
func TestConfigure(t *testing.T) {
	t.Parallel()
	stays := startRouter(t, bgptest.Options{})
	changes := startRouter(t, bgptest.Options{Address: loopback(2)})
	goes := startRouter(t, bgptest.Options{Address: loopback(3)})
	comes := startRouter(t, bgptest.Options{Address: loopback(4)})
	kept, changed, gone, added := peer("stays", stays, routerAS), peer("changes", changes, routerAS), peer("goes", goes, routerAS), peer("comes", comes, routerAS)
	s := startSpeaker(t, options(kept, changed, gone), prefix4, other4)
	s.set(routing.Depreferred, prefix4, other4)
	s.established()
	for _, r := range []*bgptest.Router{stays, changes, goes} {
		waitTable(t, r, 2)
	}
	// news takes what the steady session was told since it was last asked: that many routes and withdrawals.
	seen := len(stays.Updates())
	news := func(announced, withdrawn int) (routes []bgptest.Route, gone []netip.Prefix) {
		t.Helper()
		waitRouter(t, stays, "UPDATEs of the change", func() bool {
			routes, gone = nil, nil
			for _, u := range stays.Updates()[seen:] {
				routes, gone = append(routes, u.Announced...), append(gone, u.Withdrawn...)
			}
			return len(routes) >= announced && len(gone) >= withdrawn
		})
		if len(routes) != announced || len(gone) != withdrawn {
			t.Fatalf("the change announced %v and withdrew %v; want %d and %d", routes, gone, announced, withdrawn)
		}
		seen = len(stays.Updates())
		return routes, gone
	}

	s.mistaken(options(kept), prefix4)
	news(0, 0)
	if len(s.Peers()) != 3 {
		t.Errorf("a mistaken configuration changed the peers: %+v", s.Peers())
	}

	changed.NextHop = netip.MustParseAddr("127.0.0.77")
	kept.Name = "stays, under another name"
	s.configure(options(kept, changed, added), prefix4, other4)
	waitRouter(t, goes, "the Cease", func() bool { return !goes.Session().Up })
	if got := goes.Session().LastDown; got != "NOTIFICATION 6/3" {
		t.Errorf("the router that goes was told %q, want Cease/Peer De-configured", got)
	}
	waitTable(t, comes, 2)
	waitRouter(t, changes, "a new session", func() bool {
		return changes.Session().Count == 2 && len(changes.Table()) == 2 && changes.Table()[0].NextHop == changed.NextHop
	})
	if p := s.peer(kept.Name); p.State != "established" || p.Flaps != 0 {
		t.Errorf("the steady peer under its new name: %+v", p)
	}
	news(0, 0)

	levels := options(kept, changed, added)
	levels.Levels = map[int]bgp.Attributes{0: {}, 2: {Prepend: 1, MED: 7}}
	s.configure(levels, prefix4, other4)
	anew, _ := news(2, 0)
	for _, r := range anew {
		if len(r.ASPath) != 2 || r.HasCommunity("65535:0") || r.MED == nil || *r.MED != 7 {
			t.Errorf("level 2 anew: %s", r)
		}
	}

	s.configure(levels, prefix4)
	if _, gone := news(0, 1); gone[0] != other4 {
		t.Errorf("withdrawn is %v, not the prefix that is no longer allowed", gone)
	}
	if err := s.Set(t.Context(), routes(routing.Depreferred, prefix4, other4)); err == nil {
		t.Error("Set of a prefix that is no longer allowed should be an error")
	}
	s.configure(levels, prefix4, other4)
	s.set(routing.Depreferred, prefix4, other4)
	if again, _ := news(1, 0); again[0].Prefix != other4 {
		t.Errorf("announced is %v, not the prefix that is allowed again", again)
	}

	if got := stays.Session(); got.Count != 1 || !got.Up {
		t.Errorf("the steady router's session: %+v", got)
	}
	if d := s.Divergence(); len(d) != 0 {
		t.Error(d)
	}
}

// mistaken tries configurations that are wrong, or that a reload can't take.
func (s *speaker) mistaken(good bgp.Options, allowed ...netip.Prefix) {
	s.t.Helper()
	for want, breakIt := range map[string]func(*bgp.Options){
		"a change needs a restart":                func(o *bgp.Options) { o.ASN = 64513 },
		"a change needs a restart; running with":  func(o *bgp.Options) { o.RouterID = netip.MustParseAddr("192.0.2.99") },
		"bgp.peers[stays].password_file /nowhere": func(o *bgp.Options) { o.Peers[0].PasswordFile = "/nowhere" },
		"bgp.hold_time":                           func(o *bgp.Options) { o.HoldTime = 1 },
		"bgp.levels.0.communities[0]":             func(o *bgp.Options) { o.Levels = map[int]bgp.Attributes{0: {Communities: []string{"x"}}} },
	} {
		bad := good
		bad.Peers = slices.Clone(good.Peers)
		breakIt(&bad)
		if err := s.Configure(s.t.Context(), bad, allowed); err == nil || !strings.Contains(err.Error(), want) {
			s.t.Errorf("Configure: %v; want it to say %q", err, want)
		}
	}
}

// The first peers may come with a reload, the last ones go with one.
func TestConfigureFromAndToNoPeers(t *testing.T) {
	t.Parallel()
	r := startRouter(t, bgptest.Options{})
	s := startSpeaker(t, bgp.Options{}, prefix4)
	s.set(routing.Announced, prefix4)
	s.configure(options(peer("r", r, routerAS)), prefix4)
	waitTable(t, r, 1)
	s.configure(bgp.Options{}, prefix4)
	waitTable(t, r, 0)
	if len(s.Peers()) != 0 {
		t.Errorf("peers: %+v", s.Peers())
	}
}

// Before Start a configuration is just taken.
func TestConfigureBeforeStart(t *testing.T) {
	t.Parallel()
	nobody := bgp.Peer{Name: "nobody", Address: loopback(2), Port: closedPort(t, loopback(2)), ASN: routerAS}
	s := newSpeaker(t, bgp.Options{}, prefix4)
	s.configure(options(nobody), prefix4)
	s.set(routing.Announced, prefix4)
	s.start()
	if p := s.Peers(); len(p) != 1 || p[0].Name != "nobody" {
		t.Errorf("peers: %+v", p)
	}
}
