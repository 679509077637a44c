package bgp_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

// What isn't allowed doesn't leave, whichever way it gets in: through Set, below Set, or from another router.
func TestNothingElseLeaves(t *testing.T) {
	t.Parallel()
	a := startRouter(t, bgptest.Options{})
	b := startRouter(t, bgptest.Options{Address: netip.MustParseAddr("127.0.0.2"), ASN: ownAS})
	s := startSpeaker(t, options(peer("a", a, routerAS), peer("b", b, ownAS)), prefix4, prefix6)
	up(t, a, b)
	s.established()

	err := s.Set(t.Context(), append(routes(routing.Announced, foreign4), routes(routing.Withdrawn, prefix4)...))
	for _, want := range []string{foreign4.String() + ": not in the allow-list, vips.www.announce", prefix4.String() + ": level 4"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Set: %v; want it to say %q", err, want)
		}
	}

	within := netip.MustParsePrefix("198.51.100.0/25")
	around := netip.MustParsePrefix("198.51.0.0/16")
	inject := []error{s.Inject(foreign4, 0), s.Inject(within, 2), s.Inject(around, 0), s.InjectUnmarked(prefix4)}
	for _, err := range inject {
		if err != nil {
			t.Fatal(err)
		}
	}
	if held, err := s.Held(); err != nil || len(held) != len(inject) {
		t.Fatalf("GoBGP holds %v, %v; the injected paths should be there, or this proves nothing", held, err)
	}

	for _, route := range []netip.Prefix{foreign4, prefix4} {
		if err := a.Announce(route); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Withdraw(foreign4); err != nil {
		t.Fatal(err)
	}

	// A route that may leave comes after all of them: when it is there, they would be.
	s.set(routing.Depreferred, prefix4)
	for _, r := range []*bgptest.Router{a, b} {
		waitTable(t, r, 1)
		if u := r.Updates(); len(u) != 1 || len(u[0].Withdrawn) != 0 || len(u[0].Announced) != 1 || u[0].Announced[0].Prefix != prefix4 {
			t.Errorf("UPDATEs to %s: %+v; want one, of %s", r.Address(), u, prefix4)
		}
	}
}

// Nothing that a router announces is held, and our own routes don't yield to it.
func TestNothingIsImported(t *testing.T) {
	t.Parallel()
	a := startRouter(t, bgptest.Options{})
	b := startRouter(t, bgptest.Options{Address: netip.MustParseAddr("127.0.0.2")})
	s := startSpeaker(t, options(peer("a", a, routerAS), peer("b", b, routerAS)), prefix4)
	up(t, a, b)
	s.established()
	if err := a.Announce(foreign4); err != nil {
		t.Fatal(err)
	}
	s.await("the router's route in Adj-RIB-In", func() bool { return s.Received("a") == 1 })
	if held, err := s.Held(); err != nil || len(held) != 0 {
		t.Errorf("GoBGP holds %v, %v; want nothing", held, err)
	}
	s.set(routing.Announced, prefix4)
	waitTable(t, b, 1)
	if u := b.Updates(); len(u) != 1 {
		t.Errorf("UPDATEs to the other router: %+v", u)
	}
}

// A difference between what a peer has and what was wanted is seen, told and counted.
func TestDivergence(t *testing.T) {
	t.Parallel()
	r := startRouter(t, bgptest.Options{})
	s := startSpeaker(t, options(peer("r", r, routerAS)), prefix4, other4)
	s.established()
	if err := s.Inject(other4, routing.Announced); err != nil {
		t.Fatal(err)
	}
	s.set(routing.Announced, prefix4)
	if d := s.Divergence(); len(d) != 1 || !strings.Contains(d[0], other4.String()+" is there and should not be") {
		t.Errorf("divergence: %q", d)
	}
	if text := s.journalText(); !strings.Contains(text, "r (127.0.0.1) was not sent what was wanted: "+other4.String()) {
		t.Errorf("journal:\n%s", text)
	}
	s.set(routing.Announced, prefix4, other4)
	if d := s.Divergence(); len(d) != 0 {
		t.Errorf("divergence once it is wanted: %q", d)
	}
}
