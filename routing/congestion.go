package routing

import (
	"fmt"
	"slices"
	"time"

	"github.com/anyedge/anyedge/health"
)

// easeBelow is how much of what is critical the load may come to, with what had moved away, for a step to be taken
// back. It lies well below where a step begins, so that the way back isn't the way down again.
const easeBelow = 0.75

// LoadStep is one step down that overload has brought about: 1 lightly depreferred, 2 depreferred, then one class of
// peers after the other.
type LoadStep struct {
	At time.Time `json:"at"`
	// Before is how much of what is critical the load was, Moved how much less it was once the step had settled.
	Before  float64 `json:"before"`
	Moved   float64 `json:"moved"`
	Settled bool    `json:"settled,omitempty"`
}

// loadLevel is the level that n steps come to, and how many classes lose the routes.
func (o *Options) loadLevel(n int) (Level, int) {
	if n <= int(Depreferred) {
		return Level(n), 0
	}
	return PartlyWithdrawn, n - int(Depreferred)
}

// congestion is what an assessment knows of load.
type congestion struct {
	signals []health.Signal // those that warn at least
	crit    bool
	known   bool    // there are figures
	use     float64 // how much of what is critical the worst of them is
	held    verdict // what keeps a step from being taken; its reason is empty if nothing does
}

// weigh takes in one load signal.
func (c *congestion) weigh(s health.Signal) {
	if s.Grade == health.Unknown {
		return
	}
	c.known = true
	if s.Crit > 0 {
		c.use = max(c.use, s.Value/s.Crit)
	}
	if s.Grade >= health.Warn {
		c.signals = append(c.signals, s)
		c.crit = c.crit || s.Grade == health.Crit
	}
}

// step takes a step down for load, or one back, where it is time. Before any of that the node sheds locally.
func (a *assessment) step() {
	n, c := &a.next, &a.load
	if a.State.Level == Withdrawn {
		n.Steps = nil // nothing comes that could be moved
		return
	}
	n.Steps = slices.Clone(n.Steps)
	a.settle()
	last := len(n.Steps) - 1
	fits := c.known && (last < 0 || c.use+n.Steps[last].Moved < easeBelow)
	n.EaseSince = a.since(last >= 0 && fits && len(c.signals) == 0, n.EaseSince)
	switch {
	case a.stepDue():
		a.stepDown()
	case last >= 0 && !n.EaseSince.IsZero() && a.reached(n.EaseSince.Add(a.Options.LoadRise)) && a.mayRise():
		n.Steps, n.EaseSince = n.Steps[:last], time.Time{}
	}
}

// settle notes what the last step has moved away, once that shows.
func (a *assessment) settle() {
	last := len(a.next.Steps) - 1
	if last < 0 || a.next.Steps[last].Settled || !a.reached(a.next.Steps[last].At.Add(a.Options.LoadFall)) {
		return
	}
	s := &a.next.Steps[last]
	s.Moved, s.Settled = max(s.Before-a.load.use, 0), true
}

// stepDue says whether load has been bad for long enough since the last step: a warning for the first, crit for others.
func (a *assessment) stepDue() bool {
	n := &a.next
	since := n.LoadSince
	if len(n.Steps) > 0 {
		since = n.LoadCritSince
	}
	if since.IsZero() || len(n.Steps) >= int(Depreferred)+len(a.Options.Shed) {
		return false
	}
	if last := len(n.Steps) - 1; last >= 0 && n.Steps[last].At.After(since) {
		since = n.Steps[last].At
	}
	return a.reached(since.Add(a.Options.LoadFall))
}

// stepDown takes the next step, unless the damper or the guard holds it.
func (a *assessment) stepDown() {
	n := &a.next
	to, _ := a.Options.loadLevel(len(n.Steps) + 1)
	guard, allowed := a.room(to)
	switch {
	case !allowed:
		a.load.held = verdict{level: a.State.Level, reason: Guarded, because: a.load.signals, guard: guard}
	case !a.reached(n.Damper.below(loadLimit)):
		a.load.held = verdict{level: a.State.Level, reason: Damped, because: a.load.signals}
	default:
		n.Steps = append(n.Steps, LoadStep{At: a.Now, Before: a.load.use})
		a.load.held.guard = guard
	}
}

// room says whether there is somewhere for the load to go. Where nobody else is known to be up, depreferring harms
// nobody, and is as far as it goes.
func (a *assessment) room(to Level) (*Guard, bool) {
	if a.Fleet == nil {
		return nil, to <= Depreferred
	}
	g := a.guard(false)
	if g.Able == 0 {
		return g, to <= Depreferred
	}
	return g, g.Allowed
}

// refuses says whether fills are refused: load is critical, the operator wants it, and whoever is turned away finds
// another node with room.
func (a *assessment) refuses() bool {
	if !a.Options.RefuseFills || !a.load.crit {
		return false
	}
	_, room := a.room(PartlyWithdrawn)
	return room
}

// overload is the level that load calls for: by the steps taken, and for a VIP that rises by the load as it is.
func (a *assessment) overload() (due, present verdict) {
	level, _ := a.Options.loadLevel(len(a.next.Steps))
	due = verdict{level: level, reason: Overloaded, because: a.load.signals, guard: a.load.held.guard}
	if level > Announced {
		due.next = []Next{{level.up(), time.Time{}, fmt.Sprintf("once the load and what has moved away are below %s of critical for %s",
			health.Ratio.Format(easeBelow), setting(a.Options.LoadRise))}}
	}
	if len(a.load.signals) == 0 {
		due.reason = Easing
	}
	present = due
	floor, since := LightlyDepref, a.next.LoadSince
	if a.load.crit {
		floor, since = Depreferred, a.next.LoadCritSince
	}
	if len(a.load.signals) > 0 && floor > level {
		present = verdict{level: floor, reason: Overloaded, because: a.load.signals, since: since, hold: a.Options.LoadFall}
	}
	return due, present
}

// withheld are the classes of peers that have lost the routes at level.
func (a *assessment) withheld(level Level) []string {
	if level != PartlyWithdrawn {
		return nil
	}
	_, classes := a.Options.loadLevel(len(a.next.Steps))
	return a.Options.Shed[:min(classes, len(a.Options.Shed))]
}
