package routing_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// dice returns a number below n; a seed or a fuzzer's bytes stand behind it.
type dice func(n int) int

// TestDecideKeepsItsPromises walks through random signals, operators and times and checks every decision on the way.
func TestDecideKeepsItsPromises(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 0))
		walk(t, r.IntN, 120)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzDecide(f *testing.F) {
	f.Add([]byte("a node starts, proves itself, is drained, fails and returns"))
	f.Add([]byte{0, 1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 255, 0, 255, 1, 1, 1, 1, 7, 7, 7, 7})
	f.Fuzz(func(t *testing.T, data []byte) {
		walk(t, func(n int) int {
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return int(b) % n
		}, len(data)/4)
	})
}

func walk(t *testing.T, roll dice, steps int) {
	t.Helper()
	in := routing.Input{Now: noon, VIP: "www", SelfChecks: roll(4) > 0, State: routing.State{Level: routing.Withdrawn, Since: noon}}
	in.Options = routing.Options{
		PathFall: seconds(roll, 5), PathWarn: seconds(roll, 15), Rise: seconds(roll, 60), WarmUp: seconds(roll, 20), DrainLead: seconds(roll, 20),
	}
	in.Options.LoadFall, in.Options.LoadRise, in.Options.MinNodes = seconds(roll, 40), seconds(roll, 400), 1
	in.Options.OnLast, in.Options.Shed = routing.OnLastKeep, []string{"peering", "transit"}[:roll(3)]
	alone := roll(3) == 0
	if roll(6) == 0 {
		in.Quarantine = "process 3 within 1m"
	}
	for range steps {
		mutate(&in, roll)
		if !alone {
			in.Fleet = randomFleet(roll)
		}
		before := asJSON(t, in)
		d := routing.Decide(in)
		if after := asJSON(t, in); after != before {
			t.Errorf("Decide changed its input from %s to %s", before, after)
		}
		checkShape(t, in, d)
		checkGuard(t, in, d)
		if roll(4) == 0 { // the JSON is what takes the time
			checkReplay(t, in, d)
		}
		checkMonotone(t, in, d, roll)
		checkUnknown(t, in)
		checkDrain(t, in)
		checkRefusal(t, in)
		checkNext(t, in, d)
		if t.Failed() {
			t.Fatalf("input %s\ndecision %s", before, asJSON(t, d))
		}
		in.State = d.State
	}
}

func seconds(roll dice, n int) time.Duration { return time.Duration(roll(n)) * time.Second }

var origins = []string{"api", "img", "shop"}

// mutate moves time on and changes what the decision rests on.
func mutate(in *routing.Input, roll dice) {
	in.Now = in.Now.Add([]time.Duration{0, 100 * time.Millisecond, time.Second, 10 * time.Second, 20 * time.Minute}[roll(5)])
	in.Signals, in.Shares, in.Drain, in.Stop = nil, map[string]float64{}, nil, ""
	if in.SelfChecks {
		in.Signals = append(in.Signals, signal(health.SelfCheck, "www", health.Grade(roll(4))), signal(health.SelfQUIC, "www", health.Grade(roll(3))))
		if roll(8) == 0 {
			in.Signals[0].Grade, in.Signals[0].Value = health.Warn, 0 // it no longer reports
		}
	}
	if roll(3) > 0 {
		in.Signals = append(in.Signals, signal(health.CPU, "node", health.Grade(roll(4))))
	}
	parts := roll(len(origins) + 1)
	for i := range parts {
		in.Shares[origins[i]] = 1 / float64(parts)
		for _, name := range []health.SignalName{health.OriginProbe, health.FillErrors, health.FillLatency} {
			in.Signals = append(in.Signals, signal(name, origins[i], health.Grade(roll(4))))
		}
	}
	if in.Force != nil && !in.Now.Before(in.Force.Until) {
		in.Force = nil
	}
	switch roll(12) {
	case 2:
		level := []routing.Level{0, 1, 2, 4}[roll(4)]
		in.Force = &routing.Force{Level: level, Since: in.Now, Until: in.Now.Add(1 + seconds(roll, 40)), Reason: "a try"}
	case 0:
		in.Drain = &routing.Drain{Since: in.Now.Add(-seconds(roll, 30)), Reason: "work"}
		if roll(2) == 0 {
			in.Drain.Until = in.Now.Add(seconds(roll, 40) - seconds(roll, 20))
		}
	case 1:
		in.Stop = "the node is stopping"
	}
}

// randomFleet is what others may say, from nothing to all that one could wish.
func randomFleet(roll dice) *routing.Fleet {
	ages := []time.Duration{-1, 0, time.Second, 6 * time.Second, time.Hour}
	f := &routing.Fleet{Metro: "ams", Load: float64(roll(3)) * 1e9}
	for i := range roll(4) {
		n := routing.Node{
			Name: fmt.Sprint("n", i), Metro: []string{"", "ams", "fra", "sin"}[roll(4)], Age: ages[roll(5)], Verified: ages[roll(5)],
			Level: routing.Level(roll(5)), Failing: roll(8) == 0, Headroom: float64(roll(4)-1) * 1e9, Origins: map[string]time.Duration{},
		}
		for _, o := range origins {
			if roll(3) > 0 {
				n.Origins[o] = ages[roll(5)]
			}
		}
		f.Nodes = append(f.Nodes, n)
	}
	return f
}

// A decision has a level of the ladder, a reason of the closed set, and a reason that may move that way.
func checkShape(t *testing.T, in routing.Input, d routing.Decision) {
	t.Helper()
	if d.From != in.State.Level || d.To != d.State.Level || d.To > routing.Withdrawn {
		t.Errorf("levels: from %s to %s, state %s", d.From, d.To, d.State.Level)
	}
	if d.Reason.Text() == "" || d.Text == "" {
		t.Errorf("no reason: %+v", d)
	}
	if d.To == d.From {
		if d.State.Since != in.State.Since {
			t.Errorf("the level stayed, but since %s became %s", in.State.Since, d.State.Since)
		}
		return
	}
	if !slices.Contains(movers(d), d.Reason) || d.State.Since != in.Now {
		t.Errorf("%s → %s for %s, since %s", d.From, d.To, d.Reason, d.State.Since)
	}
	if penalty := d.State.Damper.Value(in.Now); penalty > 4000 || penalty < in.State.Damper.Value(in.Now) {
		t.Errorf("%s → %s, and the penalty is %g", d.From, d.To, penalty)
	}
}

// movers are the reasons that may move a VIP as d does.
func movers(d routing.Decision) []routing.Reason {
	switch {
	case d.Reason == routing.Forced:
		return []routing.Reason{routing.Forced}
	case d.From == routing.Withdrawn:
		return []routing.Reason{routing.WarmingUp, routing.Rising, routing.OriginPathCritical, routing.Guarded}
	case d.To == routing.Announced:
		return []routing.Reason{routing.Well}
	case d.To < d.From:
		return []routing.Reason{routing.WarmingUp, routing.Rising, routing.Guarded}
	case d.To == routing.Withdrawn:
		return []routing.Reason{routing.Stopped, routing.NotProven, routing.SelfCheckFailed, routing.Drained, routing.Quarantined}
	case d.To == routing.PartlyWithdrawn:
		return []routing.Reason{routing.Overloaded}
	case d.To == routing.LightlyDepref:
		return []routing.Reason{routing.OriginPathWarning, routing.SelfCheckWarning, routing.Overloaded}
	}
	return []routing.Reason{routing.Draining, routing.OriginPathCritical, routing.Guarded, routing.Overloaded}
}

// What the guard has not allowed isn't done, and what needs it isn't done without it.
func checkGuard(t *testing.T, in routing.Input, d routing.Decision) {
	t.Helper()
	if d.From == d.To && len(d.Withheld) == len(in.State.Withheld) || d.To < routing.PartlyWithdrawn {
		return
	}
	switch {
	case d.Reason == routing.SelfCheckFailed && in.Fleet != nil, d.Reason == routing.Overloaded && len(d.Withheld) > len(in.State.Withheld):
		if d.Guard == nil || !d.Guard.Allowed || d.Guard.Able < 1 {
			t.Errorf("%s for %s, and the guard says %v", d.To, d.Reason, d.Guard)
		}
	}
}

// A record that was written and read again gives the same decision.
func checkReplay(t *testing.T, in routing.Input, d routing.Decision) {
	t.Helper()
	var r routing.Record
	if err := json.Unmarshal([]byte(asJSON(t, routing.Record{Input: in, Decision: d})), &r); err != nil {
		t.Error(err)
	}
	if again := routing.Decide(r.Input); asJSON(t, again) != asJSON(t, d) {
		t.Errorf("replayed: %s", asJSON(t, again))
	}
}

// A worse input never gives a better level.
func checkMonotone(t *testing.T, in routing.Input, d routing.Decision, roll dice) {
	t.Helper()
	worse := in
	worse.Signals = append([]health.Signal(nil), in.Signals...)
	for i, s := range worse.Signals {
		if roll(3) == 0 && s.Name != health.SelfQUIC {
			worse.Signals[i] = signal(s.Name, s.Subject, max(s.Grade, []health.Grade{health.Warn, health.Crit}[roll(2)]))
		}
	}
	if roll(4) == 0 && in.Drain == nil {
		worse.Drain = &routing.Drain{Since: in.Now}
	}
	if w := routing.Decide(worse); w.To < d.To {
		t.Errorf("a worse input rises from %s to %s: %s", d.To, w.To, asJSON(t, worse))
	}
}

// What is unknown lowers nothing.
func checkUnknown(t *testing.T, in routing.Input) {
	t.Helper()
	in.Signals = append([]health.Signal(nil), in.Signals...)
	for i, s := range in.Signals {
		in.Signals[i] = signal(s.Name, s.Subject, health.Unknown)
	}
	in.Drain, in.Force, in.Stop, in.Quarantine = nil, nil, "", ""
	if d := routing.Decide(in); d.To > d.From {
		t.Errorf("nothing is known, and %s falls to %s: %s", d.From, d.To, d.Text)
	}
}

// Fills are refused only where the operator wants it, for a load that is critical, with somebody else to ask.
func checkRefusal(t *testing.T, in routing.Input) {
	t.Helper()
	in.Options.RefuseFills = true
	d := routing.Decide(in)
	crit := slices.ContainsFunc(in.Signals, func(s health.Signal) bool { return s.Cause == health.Load && s.Grade == health.Crit })
	if d.Refuse && (!crit || in.Fleet == nil || len(in.Fleet.Nodes) == 0) {
		t.Errorf("fills are refused: critical %t, others %+v", crit, in.Fleet)
	}
	in.Options.RefuseFills = false
	if routing.Decide(in).Refuse {
		t.Error("fills are refused though nobody wants that")
	}
}

// A drain always ends withdrawn, after its lead at the latest.
func checkDrain(t *testing.T, in routing.Input) {
	t.Helper()
	in.Drain = &routing.Drain{Since: in.Now}
	first := routing.Decide(in)
	if first.To < routing.Depreferred {
		t.Errorf("drained, and %s", first.To)
	}
	in.State, in.Now = first.State, in.Now.Add(in.Options.DrainLead)
	if last := routing.Decide(in); last.To != routing.Withdrawn {
		t.Errorf("drained for the whole lead, and %s", last.To)
	}
}

// What is announced to come next comes: at its time, not before, as long as nothing changes.
func checkNext(t *testing.T, in routing.Input, d routing.Decision) {
	t.Helper()
	for i, n := range d.Next {
		if n.Condition == "" || n.Level == d.To {
			t.Errorf("next %+v", n)
		}
		if n.At.IsZero() || i > 0 {
			continue
		}
		then := in
		then.State = d.State
		if then.Now = n.At; routing.Decide(then).To != n.Level {
			t.Errorf("at %s it should be %s, and is %s", n.At, n.Level, routing.Decide(then).To)
		}
		if then.Now = n.At.Add(-1); !then.Now.Before(in.Now) && routing.Decide(then).To != d.To {
			t.Errorf("before %s it should still be %s, and is %s", n.At, d.To, routing.Decide(then).To)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDecideWithoutSignals(t *testing.T) {
	in := routing.Input{Now: noon, VIP: "dns", State: routing.State{Level: routing.Withdrawn, Since: noon}}
	if d := routing.Decide(in); d.To != routing.Depreferred || d.Next[0].Level != routing.LightlyDepref || !d.Next[0].At.Equal(noon) {
		t.Errorf("with no dwell at all: %+v", d)
	}
	in.SelfChecks = true
	if d := routing.Decide(in); d.To != routing.Withdrawn || d.Reason != routing.NotProven {
		t.Errorf("without a self check: %+v", d)
	}
}

// TestHalfIsHalf: half of the origins with equal shares make a path bad, whatever rounding makes of their sum.
func TestHalfIsHalf(t *testing.T) {
	for n := 2; n <= 60; n += 2 {
		in := routing.Input{Now: noon, VIP: "www", Shares: map[string]float64{}, State: routing.State{Proven: true, Since: noon}}
		for i := range n {
			name := fmt.Sprint(i)
			in.Shares[name] = 1 / float64(n)
			grade := health.OK
			if i%2 == 0 {
				grade = health.Crit
			}
			in.Signals = append(in.Signals, signal(health.OriginProbe, name, grade))
		}
		if d := routing.Decide(in); d.To != routing.Depreferred {
			t.Errorf("%d of %d: %s", n/2, n, d.Text)
		}
		in.Signals[0].Grade = health.OK
		if d := routing.Decide(in); d.To != routing.Announced {
			t.Errorf("%d of %d: %s", n/2-1, n, d.Text)
		}
	}
}

// TestSharesAreKept: the shares that weighed when the path turned bad stay until the VIP is announced again.
func TestSharesAreKept(t *testing.T) {
	in := routing.Input{Now: noon, VIP: "www", Shares: map[string]float64{"shop": .9, "img": .1}, State: routing.State{Proven: true, Since: noon}}
	in.Signals = []health.Signal{signal(health.OriginProbe, "shop", health.Crit)}
	d := routing.Decide(in)
	if !reflect.DeepEqual(d.State.Shares, in.Shares) || d.To != routing.Depreferred {
		t.Fatalf("%+v", d)
	}
	in.State, in.Signals, in.Shares = d.State, nil, map[string]float64{"img": 1}
	in.Now = in.Now.Add(time.Hour)
	if d = routing.Decide(in); d.To != routing.Depreferred && d.State.Shares == nil {
		t.Fatalf("%+v", d)
	}
	in.State = d.State
	if d = routing.Decide(in); d.To != routing.Announced || d.State.Shares == nil {
		t.Fatalf("%+v", d)
	}
	in.State = d.State
	if d = routing.Decide(in); d.State.Shares != nil {
		t.Fatalf("%+v", d)
	}
}
