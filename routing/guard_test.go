package routing_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// world is a fleet in which each node decides by what it hears of the others, lag seconds late.
type world struct {
	roll    *rand.Rand
	now     time.Time
	lag     int
	nodes   []*member
	history [][]member // by second, the newest last
}

// member is one node: its own condition, and whether the others hear it.
type member struct {
	in                    routing.Input
	broken, deaf, pathBad bool
	busy                  bool
}

func newWorld(seed uint64, nodes, lag int) *world {
	w := &world{roll: rand.New(rand.NewPCG(seed, 2)), now: noon, lag: lag}
	for range nodes {
		m := &member{in: routing.Input{VIP: "www", SelfChecks: true, Shares: map[string]float64{"shop": 1}}}
		m.in.Options.SetDefaults()
		m.in.Options.Shed = []string{"peering"}
		m.in.State = routing.State{Level: routing.Announced, Since: noon, Proven: true, Warm: true}
		w.nodes = append(w.nodes, m)
	}
	return w
}

// second lets a second pass: conditions change, and one node after the other decides.
func (w *world) second() {
	w.now = w.now.Add(time.Second)
	for _, m := range w.nodes {
		flip(w.roll, &m.broken, 60)
		flip(w.roll, &m.deaf, 200)
		flip(w.roll, &m.pathBad, 90)
		flip(w.roll, &m.busy, 120)
	}
	for i, m := range w.nodes {
		m.in.Now = w.now
		m.in.Signals = []health.Signal{
			signal(health.SelfCheck, "www", grade(m.broken, false)), signal(health.OriginProbe, "shop", grade(m.pathBad, false)),
			signal(health.CPU, "node", grade(m.busy, false)),
		}
		m.in.Fleet = w.view(i)
		m.in.State = routing.Decide(m.in).State
	}
	var then []member
	for _, m := range w.nodes {
		then = append(then, *m)
	}
	w.history = append(w.history, then)
}

func flip(r *rand.Rand, b *bool, seconds int) {
	if r.IntN(seconds) == 0 {
		*b = !*b
	}
}

// view is what node i knows: the others as they are, or were lag seconds ago.
func (w *world) view(i int) *routing.Fleet {
	f := &routing.Fleet{Metro: fmt.Sprint("m", i), Load: 1e9}
	for j, m := range w.nodes {
		if j == i {
			continue
		}
		seen := *m
		if n := len(w.history) - w.lag; w.lag > 0 && n >= 0 && n < len(w.history) {
			seen = w.history[n][j]
		}
		n := routing.Node{
			Name: fmt.Sprint("n", j), Metro: fmt.Sprint("m", j), Age: time.Duration(w.lag) * time.Second, Verified: time.Duration(w.lag) * time.Second,
			Level: seen.in.State.Level, Headroom: 5e9, Origins: map[string]time.Duration{"shop": -1},
		}
		if seen.pathBad {
			n.Origins["shop"] = 0
		}
		if m.deaf || w.nodes[i].deaf {
			n.Age = time.Hour
		}
		n.Failing = seen.broken
		f.Nodes = append(f.Nodes, n)
	}
	return f
}

func (w *world) announcers() (n int) {
	for _, m := range w.nodes {
		if m.in.State.Level < routing.Withdrawn {
			n++
		}
	}
	return n
}

// TestTheLastDoorStaysOpen: whatever breaks in a fleet, and however late nodes hear of each other, it never takes its own last
// announcement away, not for a second.
func TestTheLastDoorStaysOpen(t *testing.T) {
	left := 0
	for seed := range uint64(8) {
		for nodes := 1; nodes <= 4; nodes++ {
			for _, lag := range []int{0, 2, 4} {
				w := newWorld(seed, nodes, lag)
				for w.now.Before(noon.Add(15 * time.Minute)) {
					w.second()
					if w.announcers() == 0 {
						t.Fatalf("seed %d, %d nodes, %d s late: at %s nobody announces", seed, nodes, lag, w.now.Format(time.TimeOnly))
					}
					left += nodes - w.announcers()
				}
			}
		}
	}
	if left < 1000 {
		t.Errorf("%d s in which somebody had left: the guard isn't tried", left)
	}
}

// TestTheGuardsArithmetic counts what makes another node able, one thing at a time.
func TestTheGuardsArithmetic(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*routing.Fleet, *routing.Options)
		want   routing.Level
	}{
		{"all well", func(*routing.Fleet, *routing.Options) {}, routing.Withdrawn},
		{"old news", func(f *routing.Fleet, _ *routing.Options) { f.Nodes[0].Age = 5*time.Second + 1 }, routing.Depreferred},
		{"just fresh", func(f *routing.Fleet, _ *routing.Options) { f.Nodes[0].Age = 5 * time.Second }, routing.Withdrawn},
		{"never told", func(f *routing.Fleet, _ *routing.Options) { f.Nodes[0].Age = -1 }, routing.Depreferred},
		{"not verified", func(f *routing.Fleet, _ *routing.Options) { f.Nodes[0].Verified = -1 }, routing.Depreferred},
		{"verified long ago", func(f *routing.Fleet, _ *routing.Options) { f.Nodes[0].Verified = time.Minute }, routing.Depreferred},
		{"failing itself", func(f *routing.Fleet, _ *routing.Options) { f.Nodes[0].Failing = true }, routing.Depreferred},
		{"depreferred itself", func(f *routing.Fleet, _ *routing.Options) { f.Nodes[0].Level = routing.Depreferred }, routing.Depreferred},
		{"lightly", func(f *routing.Fleet, _ *routing.Options) { f.Nodes[0].Level = routing.LightlyDepref }, routing.Withdrawn},
		{"no room", func(f *routing.Fleet, _ *routing.Options) { f.Nodes[0].Headroom = 1.19e9 }, routing.Depreferred},
		{"just room", func(f *routing.Fleet, _ *routing.Options) { f.Nodes[0].Headroom = 1.2e9 }, routing.Withdrawn},
		{"unknown room", func(f *routing.Fleet, _ *routing.Options) { f.Nodes[0].Headroom = -1 }, routing.Withdrawn},
		{"too few", func(_ *routing.Fleet, o *routing.Options) { o.MinNodes = 2 }, routing.Depreferred},
		{"nobody", func(f *routing.Fleet, _ *routing.Options) { f.Nodes = nil }, routing.Depreferred},
		{"nobody, and withdraw", func(f *routing.Fleet, o *routing.Options) { f.Nodes, o.OnLast = nil, routing.OnLastWithdraw }, routing.Withdrawn},
	} {
		in := routing.Input{Now: noon, VIP: "www", SelfChecks: true, Options: options(), State: routing.State{Proven: true, Warm: true, Since: noon}}
		in.State.FailSince = noon.Add(-10 * time.Second)
		in.Signals = []health.Signal{signal(health.SelfCheck, "www", health.Crit)}
		in.Fleet = &routing.Fleet{Metro: "ams", Load: 1e9, Nodes: []routing.Node{{Name: "fra-1", Metro: "fra", Headroom: 5e9}}}
		c.change(in.Fleet, &in.Options)
		if d := routing.Decide(in); d.To != c.want {
			t.Errorf("%s: %s, want %s: %s", c.what, d.To, c.want, d.Text)
		}
	}
}

// TestVeto: at least half of the metros, ours among them, and never ours alone.
func TestVeto(t *testing.T) {
	for _, c := range []struct {
		nodes string // metro, and + for one that reaches the origin, - for one that doesn't, ? for one that doesn't fill from it
		want  bool
	}{
		{"", false},
		{"fra-", true},
		{"fra+", false},
		{"fra- sin+", true},
		{"fra+ sin+", false},
		{"fra- sin+ lon+", true},
		{"fra- sin+ lon+ par+", false},
		{"fra- sin- lon+ par+", true},
		{"fra? sin-", true},
		{"fra?", false},
		{"fra- fra+", false},           // somebody in fra reaches it
		{"ams- ams- fra+", false},      // our own metro shares our line
		{"ams- ams- fra+ sin-", true},  // sin counts
		{"ams-", true},                 // only one metro: nodes count
		{"ams- ams+ ams+ ams+", false}, // two of five
		{"ams- ams- ams+ ams+", true},  // three of five
		{"fra- sin+ lon+ par+ nyc+", false},
	} {
		in := routing.Input{Now: noon, VIP: "www", Shares: map[string]float64{"shop": 1}, Options: options(), State: routing.State{Proven: true, Warm: true, Since: noon}}
		in.Options.PathFall, in.Options.PathWarn = 0, 0
		in.Fleet = &routing.Fleet{Metro: "ams"}
		for i := 0; i+4 <= len(c.nodes); i += 5 {
			n := routing.Node{Name: fmt.Sprint("n", i), Metro: c.nodes[i : i+3], Origins: map[string]time.Duration{"shop": -1}}
			switch c.nodes[i+3] {
			case '-':
				n.Origins["shop"] = time.Second
			case '?':
				n.Origins = nil
			}
			in.Fleet.Nodes = append(in.Fleet.Nodes, n)
		}
		for _, g := range []health.Grade{health.Warn, health.Crit} {
			in.Signals = []health.Signal{signal(health.OriginProbe, "shop", g)}
			if d := routing.Decide(in); (d.Reason == routing.OriginFault) != c.want {
				t.Errorf("%q, %s here: %s: %s", c.nodes, g, d.To, d.Text)
			}
		}
	}
}
