package bgp_test

import (
	"strings"
	"testing"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

// A route that is withheld from a class of peers leaves them and nobody else, and comes back; whoever keeps it hears
// nothing but the attributes.
func TestWithheldFromAClass(t *testing.T) {
	t.Parallel()
	transit, peering, plain := startRouter(t, bgptest.Options{}), startRouter(t, bgptest.Options{Address: loopback(2)}), startRouter(t, bgptest.Options{Address: loopback(3)})
	o := options(peer("transit", transit, routerAS), peer("peering", peering, routerAS), peer("plain", plain, routerAS))
	o.Peers[0].Class, o.Peers[1].Class = "transit", "peering"
	s := startSpeaker(t, o, prefix4)
	s.established()
	for _, c := range []struct {
		withheld string
		want     [3]int // routes in transit, peering, plain
	}{
		{"", [3]int{1, 1, 1}},
		{"peering", [3]int{1, 0, 1}},
		{"peering transit", [3]int{0, 0, 1}},
		{"transit", [3]int{0, 1, 1}},
		{"", [3]int{1, 1, 1}},
	} {
		r := routing.Route{VIP: "www", Prefix: prefix4, Level: routing.Depreferred, Withheld: strings.Fields(c.withheld)}
		if err := s.Set(t.Context(), []routing.Route{r}); err != nil {
			t.Fatal(err)
		}
		for i, r := range []*bgptest.Router{transit, peering, plain} {
			waitTable(t, r, c.want[i])
		}
		for i, p := range s.Peers() {
			if len(p.AdjOut) != c.want[i] {
				t.Errorf("withheld from %q: Adj-RIB-Out of %s: %v", c.withheld, p.Name, p.AdjOut)
			}
		}
	}
	for _, u := range plain.Updates() {
		if len(u.Withdrawn) > 0 {
			t.Errorf("a peer without a class saw a withdrawal: %+v", u)
		}
	}
	for _, e := range s.journal.Since(0) {
		if e.Kind == health.EventRoute && strings.Contains(e.Text, "should") {
			t.Errorf("diverging: %s", e.Text)
		}
	}
}

func TestTooManyClasses(t *testing.T) {
	o := options()
	r := startRouter(t, bgptest.Options{})
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		p := peer(name, r, routerAS)
		p.Class = name
		o.Peers = append(o.Peers, p)
	}
	found := false
	o.Check(func(key, problem string) {
		found = found || key == "peers" && strings.Contains(problem, "6 classes: at most 5")
	})
	if !found {
		t.Error("6 classes pass")
	}
}
