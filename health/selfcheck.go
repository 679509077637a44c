package health

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// How often this node asks itself over QUIC: in each round until SelfQUICProven have succeeded in a row, and then in every
// SelfQUICEvery-th. At the default interval a failure shows after 6 s at the latest.
const (
	SelfQUICProven = 10
	SelfQUICEvery  = 4
)

// vip is what this node found when it asked itself through one VIP.
type vip struct {
	name   string
	mu     sync.Mutex // guards the following fields and what they point to
	checks map[SignalName]*streak
	names  *names // nil until somebody has looked
}

// names are how many of a VIP's host names clients get a good certificate for.
type names struct {
	bad, all int
	detail   string
	mark     mark
}

// covered takes what was found of the names.
func (v *vip) covered(bad, all int, detail string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.names == nil {
		v.names = &names{}
	}
	v.names.bad, v.names.all, v.names.detail = bad, all, detail
}

func newVIP(name string) *vip { return &vip{name: name, checks: map[SignalName]*streak{}} }

// streak is how one check's last results agree, and the grade that came of it.
type streak struct {
	failures, successes int // in a row; one of them is 0
	failure             string
	grade               Grade
	at                  time.Time // of the last result
	mark                mark
}

// result takes one result and says whether it may change the grade.
func (v *vip) result(name SignalName, err error, o SelfCheckOptions) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.checks[name]
	if s == nil {
		s = &streak{}
		v.checks[name] = s
	}
	was := s.grade
	s.take(err)
	s.at = time.Now()
	s.grade = s.next(ceiling(name), o)
	return s.grade != was
}

// ceiling is the worst grade that a check may get. QUIC's failure only costs speed, since TCP still serves.
func ceiling(name SignalName) Grade {
	if name == SelfQUIC {
		return Warn
	}
	return Crit
}

func (s *streak) take(err error) {
	if err == nil {
		s.successes++
		s.failures = 0
		return
	}
	s.failures++
	s.successes = 0
	s.failure = strings.ReplaceAll(err.Error(), "\n", "; ") // joined errors come on lines, a detail is one
}

// next is the grade after the last result. Only Rise successes in a row prove anything at first, or end a bad grade;
// only Fall failures in a row make it bad, and fewer are a warning.
func (s *streak) next(worst Grade, o SelfCheckOptions) Grade {
	switch {
	case s.failures >= o.Fall:
		return worst
	case s.successes >= o.Rise:
		return OK
	case s.grade == Unknown || s.grade == worst:
		return s.grade
	case s.failures > 0:
		return min(Warn, worst-1)
	}
	return OK
}

func (v *vip) signals(r *report, o SelfCheckOptions) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(v.checks)) {
		s := v.checks[name]
		sig, g := s.signal(v.name, name, o), s.grade
		if age := r.now.Sub(s.at); g != Unknown && age > o.silence(name) {
			g = max(g, Warn)
			sig.Detail = silence(age)
		}
		r.enter(sig, g, &s.mark)
	}
	if n := v.names; n != nil {
		r.grade(Signal{
			Name: Certificate, Subject: v.name, Cause: Local, Value: float64(n.bad), Unit: Names,
			Samples: n.all, MinSamples: 1, Detail: n.detail,
		}, bounds{warn: 1, warnExit: 1}, &n.mark)
	}
}

// silence is how long a check may report nothing.
func (o *SelfCheckOptions) silence(name SignalName) time.Duration {
	if name == SelfQUIC {
		return staleAfter*SelfQUICEvery*o.Interval + o.Timeout
	}
	return staleAfter*o.Interval + o.Timeout
}

func (s *streak) signal(vip string, name SignalName, o SelfCheckOptions) Signal {
	sig := Signal{
		Name: name, Subject: vip, Cause: Local, Value: float64(s.failures), Unit: Failures,
		Samples: s.successes, MinSamples: o.Rise, Warn: 1, WarnExit: 1, Crit: float64(o.Fall), CritExit: 1,
	}
	if ceiling(name) == Warn {
		sig.Warn, sig.Crit, sig.CritExit = float64(o.Fall), 0, 0
	}
	if s.grade != OK {
		sig.Detail = s.failure
	}
	return sig
}
