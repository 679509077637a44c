package routing

import (
	"fmt"
	"slices"
	"time"

	"github.com/anyedge/anyedge/health"
)

// upcoming is the change of level that comes by itself if nothing else changes, or nothing: the decision is made again
// at each time that some rule waits for.
func (a *assessment) upcoming(d Decision) []Next {
	times := a.waits(&d.State)
	slices.SortFunc(times, time.Time.Compare)
	for _, at := range slices.Compact(times) {
		in := a.Input
		in.Now, in.State = at, d.State
		then := assess(in)
		if v := then.choose(); v.level != d.To {
			return []Next{{v.level, at, then.condition(v)}}
		}
	}
	return nil
}

// waits are the times after now at which some rule may decide otherwise.
func (a *assessment) waits(s *State) (times []time.Time) {
	wait := func(since time.Time, d time.Duration) {
		if at := since.Add(d); !since.IsZero() && at.After(a.Now) {
			times = append(times, at)
		}
	}
	o := &a.Options
	wait(s.BadSince, o.PathFall)
	wait(s.WarnSince, o.PathWarn)
	for _, since := range []time.Time{s.LoadSince, s.LoadCritSince} {
		wait(since, o.LoadFall)
	}
	if last := len(s.Steps) - 1; last >= 0 {
		wait(s.Steps[last].At, o.LoadFall)
	}
	wait(s.EaseSince, o.LoadRise)
	for _, since := range []time.Time{s.Since, s.AbleSince, s.GoodSince, s.WellSince} {
		wait(since, a.dwell())
	}
	for _, limit := range []float64{riseLimit, reuseLimit, pathLimit, loadLimit} {
		wait(s.Damper.below(limit), 0)
	}
	if a.Fleet != nil {
		for _, n := range a.Fleet.Nodes {
			wait(s.FailSince, max(n.Age, n.Verified))
		}
	}
	if a.Drain != nil {
		wait(a.Drain.Since, o.DrainLead)
		wait(a.Drain.Until, 0)
	}
	if a.Force != nil {
		wait(a.Force.Until, 0)
	}
	if a.Quarantine != "" {
		wait(s.AbleSince, quarantineTime)
	}
	return times
}

// condition is what the change that v makes depends on.
func (a *assessment) condition(v verdict) string {
	switch {
	case v.reason == Drained:
		return "unless it is undrained"
	case a.ended != nil && a.Now.Equal(a.ended.Until):
		return "when the drain ends"
	case a.Force != nil && a.Now.Equal(a.Force.Until):
		return "when the force expires"
	case v.level > a.State.Level && len(v.because) > 0:
		return "unless " + subjects(v.because) + " recovered by then"
	case a.State.Level == Withdrawn:
		return "if the self check stays well"
	}
	return "if all stays well"
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

// recovery is what must be before the VIP rises to level again.
func (a *assessment) recovery(because []health.Signal, level Level) []Next {
	return []Next{{Level: level, Condition: setting(a.dwell()) + " after " + subjects(because) + " recovered"}}
}

// couldFall is what lowers a VIP that is announced.
func (a *assessment) couldFall() []Next {
	next := []Next{}
	if len(a.Shares) > 0 {
		next = append(next,
			Next{Level: LightlyDepref, Condition: "once origins with at least half of its requests warn for " + setting(a.Options.PathWarn)},
			Next{Level: Depreferred, Condition: "once they are critical for " + setting(a.Options.PathFall)})
	}
	for _, s := range a.Signals {
		if isProof(s.Name) {
			next = append(next, Next{Level: Withdrawn, Condition: "at once when the " + words(s.Name) + " is critical"})
		}
	}
	return next
}

// warnings are the signals in spite of which it is announced.
func (a *assessment) warnings() (list []health.Signal) {
	for _, s := range a.Signals {
		if s.Grade >= health.Warn {
			list = append(list, s)
		}
	}
	return list
}
