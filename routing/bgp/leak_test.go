package bgp_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

// What isn't allowed doesn't leave, whichever way it gets in: through Set, below Set, or from another router.
func TestNothingElseLeaves(t *testing.T) {
	t.Parallel()
	a := startRouter(t, bgptest.Options{})
	b := startRouter(t, bgptest.Options{Address: loopback(2), ASN: ownAS})
	six := startRouter(t, bgptest.Options{Address: netip.IPv6Loopback()})
	o := options(peer("a", a, routerAS), peer("b", b, ownAS), peer("six", six, routerAS))
	s := startSpeaker(t, o, prefix4) // and nothing of IPv6: an empty allow-list must not mean all
	s.established()
	up(t, a, b, six)

	err := s.Set(t.Context(), append(routes(routing.Announced, foreign4), routes(routing.Withdrawn, prefix4)...))
	for _, want := range []string{foreign4.String() + ": not in the allow-list, vips.www.announce", prefix4.String() + ": level 4"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Set: %v; want it to say %q", err, want)
		}
	}

	within, around := netip.MustParsePrefix("198.51.100.0/25"), netip.MustParsePrefix("198.51.0.0/16")
	injected := []error{
		s.Inject(foreign4, 0), s.Inject(within, 2), s.Inject(around, 0), s.Inject(prefix6, 0), s.InjectUnmarked(prefix4),
	}
	if err := errors.Join(injected...); err != nil {
		t.Fatal(err)
	}
	for _, p := range []netip.Prefix{other4, prefix4} {
		if err := a.Announce(p); err != nil {
			t.Fatal(err)
		}
	}
	s.await("what the router announces in Adj-RIB-In", func() bool { return s.Received("a") == 2 })
	held, err := s.Held()
	if err != nil || len(held) != len(injected) || slices.Contains(held, other4) {
		t.Fatalf("GoBGP holds %v, %v; want what was injected, or this proves nothing, and nothing that a router says", held, err)
	}
	if err := a.Withdraw(other4); err != nil {
		t.Fatal(err)
	}

	// Routes that may leave come after all of them: when they are there, the others would be.
	o.Levels = nil // a change of policies that lets nothing slip, either
	s.configure(o, prefix4, allowed6)
	s.set(routing.Announced, prefix4, allowed6)
	for r, want := range map[*bgptest.Router]netip.Prefix{a: prefix4, b: prefix4, six: allowed6} {
		waitTable(t, r, 1)
		if u := r.Updates(); len(u) != 1 || len(u[0].Withdrawn) != 0 || len(u[0].Announced) != 1 || u[0].Announced[0].Prefix != want {
			t.Errorf("UPDATEs to %s: %+v; want one, of %s", r.Address(), u, want)
		}
	}
}
