package routing

import (
	"fmt"
	"time"

	"github.com/anyedge/anyedge/health"
)

const (
	// criticalShare is the part of a VIP's requests whose origins must be critical before the path counts as bad. Below
	// it, leaving would move more requests that this node serves well than requests that it doesn't.
	criticalShare = 0.5
	// steadyAfter is how long a VIP must stay announced until its falls are forgotten.
	steadyAfter = 10 * time.Minute
	// longestDwell bounds how long relapses can make a step up wait, unless Options.Rise itself is longer.
	longestDwell = 15 * time.Minute
)

// Decide returns the level that a VIP gets. It is pure: no clock, no log, no memory but Input.State.
//
// The first that applies decides:
//
//	the node stops          → 4
//	not proven yet          → 4
//	a local cause is crit   → 4 at once
//	an operator drains      → 2 for DrainLead, then 4
//	at 4, and able again    → 2, at once the first time, after a dwell if it has fallen before
//	the path is bad         → 2 after PathFall; never further
//	below 0, and all well   → one step up after its dwell: WarmUp the first time, then Rise
//	all well                → 0
//
// Unknown and warn neither lower a level nor hold it. If warn held one, two nodes in the same condition would stay at
// different levels by their history alone, and the last to restart would attract everything or nothing.
//
// A relapse costs more than staying: each fall since the VIP was last announced for steadyAfter doubles the dwell.
func Decide(in Input) Decision {
	d := decide(in)
	if d.To == d.From {
		return d
	}
	// What would change it next is what the decision after this one would wait for.
	in.State = d.State
	after := decide(in)
	d.Next = after.Next
	if after.To != d.To {
		d.Next = []Next{{after.To, in.Now, "at once"}}
	}
	return d
}

func decide(in Input) Decision {
	a := assess(in)
	switch {
	case in.Stop != "":
		return a.to(Withdrawn, Stopped, nil)
	case !a.next.Proven:
		return a.to(Withdrawn, NotProven, a.unproven(), a.proof())
	case len(a.local) > 0:
		return a.to(Withdrawn, SelfCheckFailed, a.local, a.proof())
	case in.Drain != nil:
		return a.drain()
	case in.State.Level == Withdrawn:
		return a.comeBack()
	case a.bad:
		return a.fall()
	case in.State.Level != Announced:
		return a.rise()
	}
	return a.stay()
}

// unproven are the VIP's own signals that aren't ok.
func (a *assessment) unproven() []health.Signal {
	var list []health.Signal
	for _, s := range a.Signals {
		if s.Cause == health.Local && s.Grade != health.OK {
			list = append(list, s)
		}
	}
	return list
}

// proof is what brings a VIP back that doesn't serve itself.
func (a *assessment) proof() Next {
	for _, s := range a.Signals {
		if isProof(s.Name) && s.Grade != health.OK {
			return Next{Level: Depreferred, Condition: fmt.Sprintf("once the %s has succeeded %d times in a row", words(s.Name), s.MinSamples)}
		}
	}
	return Next{Level: Depreferred, Condition: "once the self check has succeeded"}
}

func (a *assessment) drain() Decision {
	due := a.Drain.Since.Add(a.Options.DrainLead)
	if a.State.Level == Withdrawn || a.reached(due) {
		return a.to(Withdrawn, Drained, nil, Next{Level: Depreferred, Condition: "after undrain"})
	}
	return a.to(max(a.State.Level, Depreferred), Draining, nil, Next{Withdrawn, due, "unless it is undrained"})
}

// comeBack announces what is able to serve again, with a bad path as well: alone, a path never withdraws.
func (a *assessment) comeBack() Decision {
	due := a.next.AbleSince
	if a.next.Falls > 1 {
		due = due.Add(a.dwell())
	}
	switch {
	case !a.reached(due):
		return a.to(Withdrawn, Rising, nil, Next{Depreferred, due, "if the self check stays well"})
	case a.bad:
		return a.to(Depreferred, OriginPathCritical, a.path)
	case !a.next.Warm:
		return a.to(Depreferred, WarmingUp, nil)
	}
	return a.to(Depreferred, Rising, nil)
}

func (a *assessment) fall() Decision {
	if a.State.Level >= Depreferred {
		return a.to(a.State.Level, OriginPathCritical, a.path, Next{Level: Announced, Condition: setting(a.dwell()) + " after " + origins(a.path) + " recovered"})
	}
	if due := a.next.BadSince.Add(a.Options.PathFall); !a.reached(due) {
		return a.to(a.State.Level, Holding, a.path, Next{Depreferred, due, "unless " + origins(a.path) + " recovered by then"})
	}
	return a.to(Depreferred, OriginPathCritical, a.path)
}

func (a *assessment) rise() Decision {
	due := a.settled().Add(a.dwell())
	if a.reached(due) {
		return a.to(a.State.Level.up(), Well, nil)
	}
	reason := Rising
	if !a.next.Warm {
		reason = WarmingUp
	}
	return a.to(a.State.Level, reason, nil, Next{a.State.Level.up(), due, "if all stays well"})
}

// settled is from when the dwell counts: all well, and on this level.
func (a *assessment) settled() time.Time {
	if a.State.Since.After(a.next.WellSince) {
		return a.State.Since
	}
	return a.next.WellSince
}

// up is the next step towards Announced.
func (l Level) up() Level {
	if l > Depreferred {
		return Depreferred
	}
	return Announced
}

func (a *assessment) stay() Decision {
	next := []Next{}
	if len(a.Shares) > 0 {
		next = append(next, Next{Level: Depreferred, Condition: "once origins with at least half of its requests are critical for " + setting(a.Options.PathFall)})
	}
	for _, s := range a.Signals {
		if isProof(s.Name) {
			next = append(next, Next{Level: Withdrawn, Condition: "at once when the " + words(s.Name) + " is critical"})
		}
	}
	var warnings []health.Signal
	for _, s := range a.Signals {
		if s.Grade >= health.Warn {
			warnings = append(warnings, s)
		}
	}
	return a.to(Announced, Well, warnings, next...)
}

// dwell is how long all must be well before the next step up.
func (a *assessment) dwell() time.Duration {
	if a.next.Falls <= 1 && !a.next.Warm {
		return a.Options.WarmUp
	}
	d, longest := a.Options.Rise, max(a.Options.Rise, longestDwell)
	for range a.next.Falls - 1 {
		if d = 2 * d; d >= longest {
			return longest
		}
	}
	return d
}

func (a *assessment) reached(due time.Time) bool { return !a.Now.Before(due) }

// to makes the decision, and the state that it leaves.
func (a *assessment) to(level Level, reason Reason, because []health.Signal, next ...Next) Decision {
	if level != a.State.Level {
		a.next.Level, a.next.Since = level, a.Now
		a.next.Warm = a.next.Warm || level == Announced
	}
	if level > a.State.Level && (reason == OriginPathCritical || reason == SelfCheckFailed) {
		a.next.Falls++
	}
	d := Decision{From: a.State.Level, To: level, Reason: reason, Because: because, Next: next, State: a.next}
	d.Text = a.text(d)
	return d
}
