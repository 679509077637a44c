package routing

import (
	"math"
	"time"
)

// The damper keeps this node below the thresholds at which routers damp a route that flaps (RFC 2439, RFC 7196). It
// counts what a router would count, by the same half-life, and waits before the router makes everyone wait.
//
// With these figures no input gives more than 4 withdrawals in an hour. Withdrawing is never delayed for a local cause;
// what comes after it is: a withdrawal and its return cost 2000, so from reuseLimit the penalty needs 21 minutes to
// decay to it again. The worst is a VIP that was long well: down at 0 s, again at once, and then at 1190 s and 2463 s.
const (
	halfLife = 15 * time.Minute
	// What a change costs, as routers count it: Cisco's and Juniper's figures, the greater of both.
	withdrawPenalty  = 1000.0
	announcePenalty  = 1000.0
	attributePenalty = 500.0
	// penaltyCap bounds the wait: from here to reuseLimit it takes 26 minutes. It lies below 6000, where routers that
	// follow RFC 7196 begin to suppress.
	penaltyCap = 4000.0
	// reuseLimit is the most at which a VIP that is withdrawn, or has lost classes of peers, may begin to rise.
	reuseLimit = 1200.0
	// riseLimit is the most at which one that is depreferred may. With pathLimit it keeps a path that comes and goes below the
	// 2000 at which older routers suppress, and has a VIP wait where that harms least: depreferred, not announced on a bad path.
	riseLimit = 550.0
	// pathLimit is the most at which a path may lower the level, loadLimit the most at which load may. Local causes and
	// operators don't ask.
	pathLimit = 1490.0
	loadLimit = 3000.0
)

// Damper is what the changes of a VIP's routes have cost so far. It decays by half in 15 minutes.
type Damper struct {
	Penalty float64   `json:"penalty,omitempty"` // at At
	At      time.Time `json:"at,omitzero"`       // the last change that cost something
}

// Value is the penalty at now. A clock that went backwards decays nothing.
func (d Damper) Value(now time.Time) float64 {
	return d.Penalty * math.Exp2(-float64(max(now.Sub(d.At), 0))/float64(halfLife))
}

// below is when the penalty has decayed to limit.
func (d Damper) below(limit float64) time.Time {
	if d.Penalty <= limit {
		return d.At
	}
	return d.At.Add(time.Duration(math.Ceil(math.Log2(d.Penalty/limit) * float64(halfLife))))
}

// add returns the damper after a change that costs points.
func (d Damper) add(points float64, now time.Time) Damper {
	if points == 0 {
		return d
	}
	return Damper{Penalty: min(d.Value(now)+points, penaltyCap), At: now}
}

// limitOfRise is the most at which a VIP at l may begin to rise.
func limitOfRise(l Level) float64 {
	if l >= PartlyWithdrawn {
		return reuseLimit
	}
	return riseLimit
}

// limitOfFall is the most at which v may lower the level.
func (v *verdict) limitOfFall() float64 {
	if v.reason == Overloaded {
		return loadLimit
	}
	return pathLimit
}

// cost is what a change of level adds. The first announcement of a VIP is free, and so are the steps up that follow it:
// nothing has flapped yet. So is what an operator does, and the rise afterwards: they are few, and somebody's decision.
func cost(from, to Level, s *State) float64 {
	switch {
	case s.Excused, to < from && !s.Warm && s.Damper.Penalty == 0:
		return 0
	case from == Withdrawn, from == PartlyWithdrawn:
		return announcePenalty
	case to == Withdrawn, to == PartlyWithdrawn:
		return withdrawPenalty
	}
	return attributePenalty
}
