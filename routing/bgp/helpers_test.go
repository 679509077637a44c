package bgp_test

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

// patience bounds every wait: GoBGP dials after 2 s, and rests for 5 s after a session ended.
const patience = 20 * time.Second

const (
	ownAS    = 64512
	routerAS = 64496
)

var (
	prefix4  = netip.MustParsePrefix("198.51.100.0/24")
	other4   = netip.MustParsePrefix("203.0.113.0/24")
	prefix6  = netip.MustParsePrefix("2001:db8:100::/48")
	allowed6 = netip.MustParsePrefix("2001:db8:200::/48")
	foreign4 = netip.MustParsePrefix("192.0.2.0/24")
)

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// startRouter starts a router that ends with the test.
func startRouter(t *testing.T, o bgptest.Options) *bgptest.Router {
	t.Helper()
	if o.ASN == 0 {
		o.ASN = routerAS
	}
	if o.PeerASN == 0 {
		o.PeerASN = ownAS
	}
	r, err := bgptest.Start(o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// peer is a router as the speaker's configuration has it.
func peer(name string, r *bgptest.Router, asn uint32) bgp.Peer {
	return bgp.Peer{Name: name, Address: r.Address(), Port: r.Port(), ASN: asn}
}

// options are a speaker's with the defaults and peers.
func options(peers ...bgp.Peer) bgp.Options {
	var o bgp.Options
	o.SetDefaults()
	o.ASN, o.RouterID, o.Peers = ownAS, netip.MustParseAddr("192.0.2.11"), peers
	return o
}

// speaker is a speaker under test with its journal.
type speaker struct {
	*bgp.Speaker
	t       *testing.T
	journal *health.Journal
}

// newSpeaker is a speaker that isn't started.
func newSpeaker(t *testing.T, o bgp.Options, allowed ...netip.Prefix) *speaker {
	t.Helper()
	j := health.NewJournal(256)
	s, err := bgp.New(o, allowed, j, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return &speaker{s, t, j}
}

// start starts s, which ends with the test.
func (s *speaker) start() {
	s.t.Helper()
	if err := s.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := s.Stop(ctx, "the test is over"); err != nil {
			s.t.Error(err)
		}
	})
}

func startSpeaker(t *testing.T, o bgp.Options, allowed ...netip.Prefix) *speaker {
	t.Helper()
	s := newSpeaker(t, o, allowed...)
	s.start()
	return s
}

// set announces prefixes at level and nothing else.
func (s *speaker) set(level routing.Level, prefixes ...netip.Prefix) {
	s.t.Helper()
	if err := s.Set(s.t.Context(), routes(level, prefixes...)); err != nil {
		s.t.Fatal(err)
	}
}

func routes(level routing.Level, prefixes ...netip.Prefix) []routing.Route {
	var list []routing.Route
	for _, p := range prefixes {
		list = append(list, routing.Route{VIP: "www", Prefix: p, Level: level})
	}
	return list
}

// peer is the report on the peer called name.
func (s *speaker) peer(name string) routing.Peer {
	s.t.Helper()
	for _, p := range s.Peers() {
		if p.Name == name {
			return p
		}
	}
	s.t.Fatalf("no peer %s in %v", name, s.Peers())
	return routing.Peer{}
}

// await waits for met; GoBGP has no event for some of what is asked, so it asks again and again.
func (s *speaker) await(what string, met func() bool) {
	s.t.Helper()
	ctx := deadline(s.t)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !met() {
		select {
		case <-again.C:
		case <-ctx.Done():
			s.t.Fatalf("not within %s: %s\npeers: %+v\njournal: %s", patience, what, s.Peers(), s.journalText())
		}
	}
}

// established waits until all peers are up.
func (s *speaker) established() {
	s.t.Helper()
	s.await("all sessions established", func() bool {
		for _, p := range s.Peers() {
			if p.State != "established" {
				return false
			}
		}
		return true
	})
}

// up waits until the routers too know that their session is established.
func up(t *testing.T, routers ...*bgptest.Router) {
	t.Helper()
	for _, r := range routers {
		waitRouter(t, r, "session up", func() bool { return r.Session().Up })
	}
}

func (s *speaker) journalText() string {
	var b strings.Builder
	for _, e := range s.journal.Since(0) {
		b.WriteString(string(e.Kind) + " " + e.Subject + ": " + e.Text + "\n")
	}
	return b.String()
}

// waitRouter waits until met holds at r.
func waitRouter(t *testing.T, r *bgptest.Router, what string, met func() bool) {
	t.Helper()
	if err := r.Wait(deadline(t), met); err != nil {
		t.Fatalf("%s: %v\ntable: %v\nupdates: %+v\nsession: %+v", what, err, r.Table(), r.Updates(), r.Session())
	}
}

// waitTable waits until r holds exactly n routes and returns them.
func waitTable(t *testing.T, r *bgptest.Router, n int) []bgptest.Route {
	t.Helper()
	waitRouter(t, r, "routes in the table", func() bool { return len(r.Table()) == n })
	return r.Table()
}
