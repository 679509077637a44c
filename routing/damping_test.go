package routing_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// How much a VIP may change in an hour whatever the signals do. Operators are their own masters.
const (
	mostWithdrawals = 4
	mostChanges     = 18
)

// weather says which of a node's signals are bad at a time: its self check, the path, and the path in part.
type weather func(at time.Duration, level routing.Level) (local, crit, warn bool)

// TestDamperHolds plays hours of weather and checks what neighbours get to see: no hour has more than 4 withdrawals,
// and no router that damps flapping routes would suppress ours.
func TestDamperHolds(t *testing.T) {
	for name, w := range weathers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options()
			o.WarmUp, o.Rise, o.PathFall, o.PathWarn = 0, 0, 0, 0 // nothing else than the damper holds
			r := simulate(o, w, 3*time.Hour)
			if n := r.busiest(func(c change) bool { return c.to == routing.Withdrawn }); n > mostWithdrawals {
				t.Errorf("%d withdrawals in an hour", n)
			}
			if n := r.busiest(func(change) bool { return true }); n > mostChanges {
				t.Errorf("%d changes in an hour", n)
			}
			// RFC 7196 and RIPE-580: routers shall not suppress below 6000.
			if r.suppression >= 6000 {
				t.Errorf("a router's penalty comes to %.0f", r.suppression)
			}
		})
	}
}

func weathers() map[string]weather {
	all := map[string]weather{
		"self check fails once back": func(_ time.Duration, l routing.Level) (bool, bool, bool) { return l < routing.Withdrawn, false, false },
		"self check fails at the top": func(_ time.Duration, l routing.Level) (bool, bool, bool) {
			return l == routing.Announced, false, false
		},
		"path fails once back": func(_ time.Duration, l routing.Level) (bool, bool, bool) {
			return false, l < routing.Depreferred, false
		},
		"path warns at the top":    func(_ time.Duration, l routing.Level) (bool, bool, bool) { return false, false, l == routing.Announced },
		"one after the other":      func(_ time.Duration, l routing.Level) (bool, bool, bool) { return l == 2, l == 1, l == 0 },
		"everything good for ever": func(time.Duration, routing.Level) (bool, bool, bool) { return false, false, false },
	}
	for _, period := range []time.Duration{
		time.Second, 2 * time.Second, 7 * time.Second, 20 * time.Second, time.Minute, 3 * time.Minute, 10 * time.Minute,
		20 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
	} {
		for i, kind := range []string{"self check", "path", "warning", "all"} {
			all[fmt.Sprintf("%s each %s", kind, period)] = func(at time.Duration, _ routing.Level) (bool, bool, bool) {
				bad := at%period >= period/2
				return bad && i%3 == 0, bad && i%2 == 1, bad && i >= 2
			}
		}
	}
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		bad := [3]bool{}
		all[fmt.Sprintf("random %d", seed)] = func(time.Duration, routing.Level) (bool, bool, bool) {
			for i := range bad {
				if r.IntN(1<<(2+seed)) == 0 {
					bad[i] = !bad[i]
				}
			}
			return bad[0], bad[1], bad[2]
		}
	}
	return all
}

// TestFlappingOriginIsNotDamped: with the defaults the origin of a VIP that was well, or the way to it, may come and go with any
// period for six hours. The path never withdraws, and no router would suppress the routes: not by RFC 7196's threshold, and not
// by the 2000 that older ones have.
func TestFlappingOriginIsNotDamped(t *testing.T) {
	for _, period := range []time.Duration{
		time.Second, 7 * time.Second, 30 * time.Second, time.Minute, 3 * time.Minute, 7 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	} {
		for _, part := range []time.Duration{4, 2} { // of the period in which it is away
			t.Run(fmt.Sprintf("%s of %s", period/part, period), func(t *testing.T) {
				t.Parallel()
				s := simulateFrom(routing.State{Level: routing.Announced, Since: noon, Proven: true, Warm: true}, options(), func(at time.Duration, _ routing.Level) (bool, bool, bool) {
					return false, at%period >= period-period/part, false
				}, 6*time.Hour)
				if n := s.busiest(func(c change) bool { return c.to == routing.Withdrawn }); n > 0 {
					t.Errorf("%d withdrawals in an hour", n)
				}
				if s.suppression >= 6000 || s.legacy >= 2000 {
					t.Errorf("a router's penalty comes to %.0f, an older one's to %.0f", s.suppression, s.legacy)
				}
				t.Logf("%d changes; a router's penalty comes to %.0f, an older one's to %.0f", len(s.changes), s.suppression, s.legacy)
			})
		}
	}
}

type change struct {
	at time.Duration
	to routing.Level
}

// simulation is what one shows to a router.
type simulation struct {
	changes     []change
	suppression float64 // the most that a router's penalty came to
	legacy      float64 // and that of one that counts as Cisco's do: the return is free
}

// simulate decides each second. The router counts as Juniper's do, which count the most: 1000 for a withdrawal and for
// the return, 500 for other changes, a half-life of 15 minutes.
func simulate(o routing.Options, w weather, length time.Duration) simulation {
	return simulateFrom(routing.State{Level: routing.Withdrawn, Since: noon}, o, w, length)
}

func simulateFrom(begin routing.State, o routing.Options, w weather, length time.Duration) (s simulation) {
	in := routing.Input{Now: noon, VIP: "www", SelfChecks: true, Shares: map[string]float64{"shop": 1}, Options: o}
	in.State = begin
	penalty, legacy, heard := 0.0, 0.0, begin.Level < routing.Withdrawn
	for at := time.Duration(0); at < length; at += time.Second {
		local, crit, warn := w(at, in.State.Level)
		if at < time.Second {
			local = false // it is proven to begin with
		}
		in.Now = noon.Add(at)
		in.Signals = []health.Signal{signal(health.SelfCheck, "www", grade(local, false)), signal(health.OriginProbe, "shop", grade(crit, warn))}
		d := routing.Decide(in)
		in.State = d.State
		penalty *= math.Exp2(-1.0 / 900)
		legacy *= math.Exp2(-1.0 / 900)
		if d.From == d.To {
			continue
		}
		switch {
		case !heard:
			heard = true
			continue
		case d.To == routing.Withdrawn:
			penalty, legacy = penalty+1000, legacy+1000
		case d.From == routing.Withdrawn:
			penalty += 1000
		default:
			penalty, legacy = penalty+500, legacy+500
		}
		s.suppression, s.legacy = max(s.suppression, penalty), max(s.legacy, legacy)
		s.changes = append(s.changes, change{at, d.To})
	}
	return s
}

func grade(crit, warn bool) health.Grade {
	switch {
	case crit:
		return health.Crit
	case warn:
		return health.Warn
	}
	return health.OK
}

// busiest is how many changes that count fall into one hour at most.
func (s *simulation) busiest(counts func(change) bool) (most int) {
	for i, first := range s.changes {
		n := 0
		for _, c := range s.changes[i:] {
			if counts(c) && c.at-first.at < time.Hour {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// TestTheSimulationPlays: the checks above would see it if nothing ever changed.
func TestTheSimulationPlays(t *testing.T) {
	s := simulate(options(), weathers()["self check fails once back"], 3*time.Hour)
	n := s.busiest(func(c change) bool { return c.to == routing.Withdrawn })
	if n < 3 || s.suppression < 3000 {
		t.Errorf("%d withdrawals in an hour, penalty %.0f: the damper is not tried", n, s.suppression)
	}
}

// TestRiseIsPrompt: the damper is for flapping. One failure of a VIP that was long well is over as fast as the dwell allows.
func TestRiseIsPrompt(t *testing.T) {
	o := options()
	for i, kind := range []string{"self check", "path"} {
		s := simulate(o, func(at time.Duration, _ routing.Level) (bool, bool, bool) {
			bad := at > time.Hour && at <= time.Hour+10*time.Second
			return bad && i == 0, bad && i == 1, false
		}, 2*time.Hour)
		last := s.changes[len(s.changes)-1]
		if limit := time.Hour + 10*time.Second + 2*o.Rise + 2*time.Second; last.to != routing.Announced || last.at > limit {
			t.Errorf("%s: %s at %s", kind, last.to, last.at)
		}
	}
}

func TestDamperDecays(t *testing.T) {
	d := routing.Damper{Penalty: 2000, At: noon}
	for _, c := range []struct {
		after time.Duration
		want  float64
	}{{0, 2000}, {15 * time.Minute, 1000}, {time.Hour, 125}, {-time.Hour, 2000}} {
		if got := d.Value(noon.Add(c.after)); got != c.want {
			t.Errorf("after %s: %g, want %g", c.after, got, c.want)
		}
	}
}
