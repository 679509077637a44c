package routing

import (
	"time"

	"github.com/anyedge/anyedge/health"
)

// criticalShare is the part of a VIP's requests whose origins must be critical, or warn, before the path counts as
// such. Below it, leaving would move more requests that this node serves well than requests that it doesn't.
const criticalShare = 0.5

// Decide returns the level that a VIP gets. It is pure: no clock, no log, no memory but Input.State.
//
// The first that applies decides:
//
//	the node stops          → 4
//	not proven yet          → 4
//	an operator forces      → what the force says, until it expires; a drain outranks it
//	quarantined             → 4 until able to serve for quarantineTime
//	a local cause is crit   → 4 at once, or 2 where nobody else could take over
//	an operator drains      → 2 for DrainLead, then 4
//	at 4, and able again    → 2
//	the path is crit        → 2 after PathFall; never further
//	the path warns          → 1 after PathWarn, and no better; likewise a self check that warns
//	overload                → one step each LoadFall: 1, 2, then 3 with one class of peers after the other; back by
//	                          one step each LoadRise for which what has moved away would have fitted
//	below 0, and all well   → one step up after its dwell: WarmUp the first time, then Rise
//	all well                → 0
//
// What a level rests on is the condition as it is, not how it came to be: a path that warns lowers a VIP to 1 and holds
// one there that comes from 2, so that two nodes in the same condition end at the same level.
//
// What other nodes say counts in two ways, where there are any to ask. An origin that fails for them too is its own
// fault: it doesn't count, nobody leaves, and all serve what is stored. And levels 3 and 4 need enough of them that
// tell, answer on the data plane, and have room: the last good door never closes by itself.
//
// The damper may delay a rise, and a fall for the path or load. It never delays a fall for a local cause or an operator's
// word, nor the opening of the last door; such a door isn't withdrawn again before the penalty has decayed.
// Unknown neither lowers a level nor holds it.
func Decide(in Input) Decision {
	a := assess(in)
	v := a.choose()
	d := a.decision(v)
	if d.To == d.From {
		d.Next = append(a.upcoming(d), v.next...)
		return d
	}
	// What would change it next is what the decision after this one would wait for.
	in.State = d.State
	a = assess(in)
	v = a.choose()
	after := a.decision(v)
	if after.To != d.To {
		d.Next = []Next{{after.To, in.Now, "at once"}}
		return d
	}
	d.Next = append(a.upcoming(after), v.next...)
	return d
}

// verdict is a level with the rule that gave it.
type verdict struct {
	level   Level
	reason  Reason
	because []health.Signal
	next    []Next        // what would change it, at a time that nobody can know
	since   time.Time     // from when it has been called for
	hold    time.Duration // for how long it must be
	guard   *Guard        // nil unless it was asked
}

// worse is the lower level of two; where they agree the first one's reason counts.
func worse(v, w verdict) verdict {
	if w.level > v.level {
		return w
	}
	return v
}

// choose applies the rules in the order of Decide's comment.
func (a *assessment) choose() verdict {
	switch {
	case a.Stop != "":
		return verdict{level: Withdrawn, reason: Stopped}
	case !a.next.Proven:
		return verdict{level: Withdrawn, reason: NotProven, because: a.unproven(), next: []Next{a.proof()}}
	case a.Drain == nil && a.Force.holds(a.Now):
		return verdict{level: a.Force.Level, reason: Forced}
	case a.quarantined():
		return verdict{level: Withdrawn, reason: Quarantined, because: a.local}
	case len(a.local) > 0 && a.Drain == nil:
		return a.broken()
	case len(a.local) > 0:
		return worse(a.broken(), a.drain())
	case a.Drain != nil:
		return a.drain()
	case a.State.Level == Withdrawn:
		return a.comeBack()
	}
	a.step()
	return a.degree()
}

// quarantined says whether the process is kept apart, since those before it died one after the other.
func (a *assessment) quarantined() bool {
	if a.Quarantine == "" || a.next.Released {
		return false
	}
	a.next.Released = !a.next.AbleSince.IsZero() && a.reached(a.next.AbleSince.Add(quarantineTime))
	return !a.next.Released
}

func (a *assessment) drain() verdict {
	out := a.Force.holds(a.Now) && a.Force.Level == Withdrawn
	if out || a.State.Level == Withdrawn || a.reached(a.Drain.Since.Add(a.Options.DrainLead)) {
		v := verdict{level: Withdrawn, reason: Drained}
		if a.Drain.Until.IsZero() {
			v.next = []Next{{Level: Depreferred, Condition: "after undrain"}}
		}
		return v
	}
	return verdict{level: max(a.State.Level, Depreferred), reason: Draining}
}

// comeBack announces what is able to serve again, with a bad path as well: alone, a path never withdraws.
func (a *assessment) comeBack() verdict {
	switch {
	case !a.mayRise() && !a.lastDoor():
		return verdict{level: Withdrawn, reason: Damped}
	case a.bad:
		return a.critical()
	}
	return verdict{level: Depreferred, reason: a.onTheWay()}
}

// degree chooses among the levels at which a VIP is announced, by its path and by load.
func (a *assessment) degree() verdict {
	level := a.State.Level
	due, now := a.callsFor()
	switch {
	case due.level > level && !a.reached(a.next.Damper.below(due.limitOfFall())):
		return verdict{level: level, reason: Damped, because: due.because}
	case due.level > level:
		return due
	case a.load.held.reason != "":
		return a.load.held
	case now.level > level:
		return verdict{level: level, reason: Holding, because: now.because, since: now.since, hold: now.hold}
	case now.level == level:
		return now
	case !a.reached(a.settled(level.up()).Add(a.dwell())):
		return verdict{level: level, reason: a.onTheWay()}
	case !a.mayRise():
		return verdict{level: level, reason: Damped}
	case level.up() == Announced:
		return verdict{level: Announced, reason: Well}
	}
	return verdict{level: level.up(), reason: a.onTheWay()}
}

// callsFor is the level that the condition has called for long enough to fall to it, and the one that the condition as
// it is calls for: the VIP may not rise above that.
func (a *assessment) callsFor() (due, present verdict) {
	load, loaded := a.overload()
	path := a.path()
	due, present = load, worse(path[0], loaded)
	for _, v := range path {
		if v.level > Announced && a.reached(v.since.Add(v.hold)) {
			return worse(v, load), present
		}
	}
	return due, present
}

// path is what the path as it is calls for, the worst first. It is never empty.
func (a *assessment) path() []verdict {
	switch {
	case a.bad:
		return []verdict{a.critical(), a.warning()}
	case a.warned:
		return []verdict{a.warning()}
	case len(a.shared) > 0:
		return []verdict{{level: Announced, reason: OriginFault, because: a.shared, next: []Next{
			{Level: Depreferred, Condition: "once other nodes reach what this one doesn't"},
		}}}
	}
	return []verdict{{level: Announced, reason: Well, because: a.warnings(), next: a.couldFall()}}
}

func (a *assessment) critical() verdict {
	return verdict{
		level: Depreferred, reason: OriginPathCritical, because: a.crit, since: a.next.BadSince, hold: a.Options.PathFall,
		next: a.recovery(a.crit, LightlyDepref),
	}
}

func (a *assessment) warning() verdict {
	v := verdict{level: LightlyDepref, reason: OriginPathWarning, because: a.uneasy, since: a.next.WarnSince, hold: a.Options.PathWarn}
	if len(a.unsure) > 0 {
		v.reason, v.because = SelfCheckWarning, a.unsure
	}
	v.next = a.recovery(v.because, Announced)
	return v
}

// onTheWay is the reason for a level below what the condition allows.
func (a *assessment) onTheWay() Reason {
	if !a.next.Warm {
		return WarmingUp
	}
	return Rising
}

// mayRise says whether the damper lets a rise begin, or has let this one.
func (a *assessment) mayRise() bool {
	return a.next.Rising || a.next.Excused || a.reached(a.next.Damper.below(limitOfRise(a.State.Level)))
}

// settled is from when the dwell for a step up to level counts: what level asks for holds, and on the present level.
func (a *assessment) settled(level Level) time.Time {
	holds := a.next.GoodSince
	switch level {
	case Announced:
		holds = a.next.WellSince
	case Depreferred:
		holds = a.next.AbleSince
	}
	if a.State.Since.After(holds) {
		return a.State.Since
	}
	return holds
}

// up is the next step towards Announced.
func (l Level) up() Level {
	switch {
	case l > Depreferred: // from 3 as well: what overload withholds comes back by its own steps
		return Depreferred
	case l == Depreferred:
		return LightlyDepref
	}
	return Announced
}

// dwell is how long all must be well before the next step up.
func (a *assessment) dwell() time.Duration {
	if !a.next.Warm {
		return a.Options.WarmUp
	}
	return a.Options.Rise
}

// decision makes v the decision, with the state that it leaves.
func (a *assessment) decision(v verdict) Decision {
	from, n := a.State.Level, a.next
	switch {
	case v.reason.operators():
		n.Excused, n.Steps = true, nil
	case from == Withdrawn && v.level < from && !a.mayRise():
		n.LastDoor = true
	case v.level > from:
		n.Excused, n.Rising = false, false
	}
	if withheld := a.withheld(v.level); len(withheld) != len(a.State.Withheld) {
		n.Withheld = withheld
		if v.level == from { // one class more or less: peers see a withdrawal or a return
			n.Damper = n.Damper.add(announcePenalty, a.Now)
		}
	}
	if v.level != from {
		n.Damper = n.Damper.add(cost(from, v.level, &n), a.Now)
		n.Level, n.Since = v.level, a.Now
		n.Rising = n.Rising || v.level < from
		n.Warm = n.Warm || v.level == Announced
	}
	d := Decision{
		From: from, To: v.level, Reason: v.reason, Because: v.because, Withheld: n.Withheld, Shed: len(a.load.signals) > 0,
		Refuse: a.refuses(), Guard: v.guard, Shared: a.shared, State: n,
	}
	d.Text = a.text(d, v)
	return d
}
