package fleet_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing/fleet"
)

var day = time.Unix(1700000000, 0)

// claim is "NAME METRO M/H SECONDS", with "fixed" behind it for one by the configuration.
func claim(t *testing.T, text string) fleet.Claimant {
	t.Helper()
	var c fleet.Claimant
	var since int
	words := strings.Fields(text)
	if _, err := fmt.Sscanf(strings.Join(words[:4], " "), "%s %s %d/%d %d", &c.Node, &c.Place, &c.Metro, &c.Host, &since); err != nil {
		t.Fatal(err)
	}
	if since > 0 {
		c.Since = day.Add(time.Duration(since) * time.Second)
	}
	c.Fixed = len(words) > 4
	return c
}

func TestAllocate(t *testing.T) {
	now := day.Add(time.Hour)
	alone, err := fleet.Allocate(claim(t, "ams-1 ams 0/0 0"), nil, now)
	if err != nil || alone.Metro == 0 || alone.Host == 0 || !alone.Since.Equal(now) {
		t.Fatalf("%+v, %v", alone, err)
	}
	a := fmt.Sprintf("%d/%d", alone.Metro, alone.Host)
	for _, c := range []struct {
		what, self string
		others     []string
		want       string // M/H, + for "not that of the strongest other", or the error's text
	}{
		{"a claim is kept", "ams-1 ams 7/9 5", nil, "7/9"},
		{"a metro's number is its first node's", "ams-2 ams 0/9 0", []string{"ams-1 ams 7/3 5"}, "7/9"},
		{"the older number of a metro holds", "ams-2 ams 8/9 6", []string{"ams-1 ams 7/3 5"}, "7/9"},
		{"the younger one gives way to us", "ams-2 ams 8/9 4", []string{"ams-1 ams 7/3 5"}, "8/9"},
		{"a fixed one holds whatever its age", "ams-2 ams 8/9 4", []string{"ams-1 ams 7/3 5 fixed"}, "7/9"},
		{"the same host number, we are younger", "ams-2 ams 7/9 6", []string{"ams-1 ams 7/9 5"}, "7/+"},
		{"the same host number, we are older", "ams-2 ams 7/9 4", []string{"ams-1 ams 7/9 5"}, "7/9"},
		{"the same age, the name decides", "ams-2 ams 7/9 5", []string{"ams-1 ams 7/9 5"}, "7/+"},
		{"the same host number in another metro", "fra-1 fra 8/9 6", []string{"ams-1 ams 7/9 5"}, "8/9"},
		{"the number of another metro", "fra-1 fra 7/9 6", []string{"ams-1 ams 7/9 5"}, "+/9"},
		{"the number of another metro, which is younger", "fra-1 fra 7/9 4", []string{"ams-1 ams 7/9 5"}, "7/9"},
		{"our metro has an older node than the other metro, whose node still has our host number", "fra-2 fra 7/9 6", []string{"ams-1 ams 7/9 5", "fra-1 fra 7/3 3"}, "7/+"},
		{"fixed takes from hashed", "fra-1 fra 7/9 6 fixed", []string{"ams-1 ams 7/9 5", "fra-2 fra 7/9 1"}, "7/9"},
		{"hashed meets the hash's place taken", "ams-1 ams 0/0 0", []string{"x ams " + a + " 5"}, fmt.Sprintf("%d/+", alone.Metro)},
		{"two by configuration", "ams-2 ams 7/9 6 fixed", []string{"ams-1 ams 7/9 5 fixed"}, "nodes ams-2 and ams-1 both claim server ID 7/9: give one of them another fleet.steering.host"},
		{"two by configuration, the other one is refused", "ams-1 ams 7/9 5 fixed", []string{"ams-2 ams 7/9 6 fixed"}, "7/9"},
		{"one metro, two numbers", "ams-2 ams 8/9 6 fixed", []string{"ams-1 ams 7/3 5 fixed"}, "nodes ams-2 and ams-1 both are in metro ams, which is number 8 here and 7 there: give both the same fleet.steering.metro"},
		{"two metros, one number", "fra-1 fra 7/9 6 fixed", []string{"ams-1 ams 7/3 5 fixed"}, "nodes fra-1 and ams-1 both claim metro number 7, for fra and for ams: give one of the metros another fleet.steering.metro"},
		{"who has no number yet takes none", "ams-2 ams 7/9 6", []string{"ams-1 ams 0/0 0"}, "7/9"},
	} {
		var others []fleet.Claimant
		for _, o := range c.others {
			others = append(others, claim(t, o))
		}
		self := claim(t, c.self)
		got, err := fleet.Allocate(self, others, now)
		var clash *fleet.Clash
		if errors.As(err, &clash) {
			if err.Error() != c.want {
				t.Errorf("%s: %v", c.what, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		metro, host := fmt.Sprint(got.Metro), fmt.Sprint(got.Host)
		wantMetro, wantHost, _ := strings.Cut(c.want, "/")
		if wantMetro == "+" && got.Metro != others[0].Metro {
			wantMetro = metro
		}
		if wantHost == "+" && got.Host != others[0].Host {
			wantHost = host
		}
		if metro != wantMetro || host != wantHost {
			t.Errorf("%s: %s/%s, want %s", c.what, metro, host, c.want)
		}
		if moved := got.Metro != self.Metro || got.Host != self.Host; moved != got.Since.Equal(now) {
			t.Errorf("%s: claimed since %s", c.what, got.Since)
		}
	}
}

// TestAllocationSettles: nodes that all start at once, and see each other's claims, come to different numbers, one for
// each metro, and stay there.
func TestAllocationSettles(t *testing.T) {
	var nodes []fleet.Claimant
	for i := range 300 {
		// Few enough first numbers that they clash.
		c := fleet.Claimant{Node: fmt.Sprintf("n%d", i), Place: fmt.Sprintf("m%d", i%30)}
		c.Metro, c.Host, c.Since = uint16(1+i%5), uint16(1+i%7), day.Add(time.Duration(i%11)*time.Second)
		nodes = append(nodes, c)
	}
	rounds := 0
	for changed := true; changed; rounds++ {
		if rounds > 50 {
			t.Fatal("it doesn't settle within 50 rounds")
		}
		changed = false
		seen := append([]fleet.Claimant(nil), nodes...)
		for i := range nodes {
			others := append(append([]fleet.Claimant(nil), seen[:i]...), seen[i+1:]...)
			got, err := fleet.Allocate(nodes[i], others, day.Add(time.Duration(1000+rounds)*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			changed = changed || got != nodes[i].Claim
			nodes[i].Claim = got
		}
	}
	metros, ids := map[string]uint16{}, map[fleet.ServerID]string{}
	places := map[uint16]string{}
	for _, n := range nodes {
		if m, known := metros[n.Place]; known && m != n.Metro {
			t.Errorf("metro %s has the numbers %d and %d", n.Place, m, n.Metro)
		}
		if p, known := places[n.Metro]; known && p != n.Place {
			t.Errorf("metros %s and %s have number %d", p, n.Place, n.Metro)
		}
		if other, known := ids[n.ServerID]; known {
			t.Errorf("%s and %s have %d/%d", n.Node, other, n.Metro, n.Host)
		}
		metros[n.Place], places[n.Metro], ids[n.ServerID] = n.Metro, n.Place, n.Node
	}
	t.Logf("%d rounds", rounds)
}
