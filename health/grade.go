package health

import "time"

// A grade is left below a part of the threshold that it was entered by. Error ratios fall to nothing once a fault is
// over, so half is plain; latencies keep a base, so three quarters must do. A share of servers has no slack: the
// probes that count them have their own.
const (
	ratioExit   = 0.5
	latencyExit = 0.75
)

// bounds are the values at which a signal enters and leaves its grades.
type bounds struct{ warn, crit, warnExit, critExit float64 }

func (t RatioThreshold) bounds() bounds {
	return bounds{t.Warn, t.Crit, t.Warn * ratioExit, t.Crit * ratioExit}
}

func (t LatencyThreshold) bounds() bounds {
	warn, crit := t.Warn.Seconds(), t.Crit.Seconds()
	return bounds{warn, crit, warn * latencyExit, crit * latencyExit}
}

func (t ShareThreshold) bounds() bounds { return bounds{t.Warn, t.Crit, t.Warn, t.Crit} }

// grade grades v, given the grade that was.
func (b bounds) grade(was Grade, v float64) Grade {
	switch {
	case b.crit > 0 && (v >= b.crit || was == Crit && v >= b.critExit):
		return Crit
	case v >= b.warn, was >= Warn && v >= b.warnExit:
		return Warn
	}
	return OK
}

// enough says whether samples suffice for a grade. The count has an exit of its own, half of what it takes to enter,
// so that a rate of requests that hovers around least doesn't switch a grade on and off.
func enough(was Grade, samples, least int) bool {
	return samples >= least || was != Unknown && 2*samples >= least
}

// mark is a grade and when it was entered.
type mark struct {
	grade Grade
	since time.Time
}

// move enters g, if that is another grade or the first look, and returns the grade that was.
func (m *mark) move(g Grade, now time.Time) (was Grade) {
	was = m.grade
	if g != was || m.since.IsZero() {
		*m = mark{g, now}
	}
	return was
}
