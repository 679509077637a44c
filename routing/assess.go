package routing

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/health"
)

// assessment is an input looked at: which signals are critical, and since when what holds.
type assessment struct {
	Input
	local []health.Signal // critical ones of this node's own
	path  []health.Signal // critical ones of its origins, those with the most requests first
	bad   bool            // path's origins have at least criticalShare of the requests, now or when it turned bad
	next  State           // what becomes of Input.State before the level is chosen
}

func assess(in Input) *assessment {
	a := &assessment{Input: in, next: in.State}
	for _, s := range in.Signals {
		switch {
		case s.Grade != health.Crit:
		case s.Cause == health.Local:
			a.local = append(a.local, s)
		case s.Cause == health.Path:
			a.path = append(a.path, s)
		}
	}
	slices.SortStableFunc(a.path, func(x, y health.Signal) int {
		return cmp.Or(cmp.Compare(a.share(y.Subject), a.share(x.Subject)), cmp.Compare(x.Subject, y.Subject))
	})
	a.bad = a.weight(in.Shares) >= criticalShare || a.weight(in.State.Shares) >= criticalShare
	a.age()
	return a
}

// age brings what State remembers up to now.
func (a *assessment) age() {
	in, n := a.Input, &a.next
	n.Proven = n.Proven || !in.SelfChecks || slices.ContainsFunc(in.Signals, proves) && !slices.ContainsFunc(in.Signals, unproven)
	able := in.Stop == "" && n.Proven && len(a.local) == 0 && in.Drain == nil
	n.AbleSince = a.since(able, n.AbleSince)
	n.BadSince = a.since(a.bad, n.BadSince)
	n.WellSince = a.since(able && !a.bad, n.WellSince)
	switch {
	case a.bad && n.Shares == nil:
		n.Shares = in.Shares
	case !a.bad && n.Level == Announced:
		n.Shares = nil
	}
	if n.Level == Announced && in.Now.Sub(n.Since) >= steadyAfter {
		n.Falls = 0
	}
}

func proves(s health.Signal) bool { return isProof(s.Name) && s.Grade == health.OK }

func unproven(s health.Signal) bool { return isProof(s.Name) && s.Grade == health.Unknown }

// isProof says whether a signal tells that the VIP is served, by this node or by what stands beside it.
func isProof(n health.SignalName) bool { return n == health.SelfCheck || n == health.ServiceProbe }

// words is a signal's name in a sentence.
func words(n health.SignalName) string { return strings.ReplaceAll(string(n), "_", " ") }

// since is when what holds began to hold.
func (a *assessment) since(holds bool, began time.Time) time.Time {
	switch {
	case !holds:
		return time.Time{}
	case began.IsZero():
		return a.Now
	}
	return began
}

// share is the origin's part of the requests: now, or when the path turned bad if that was more.
func (a *assessment) share(origin string) float64 {
	return max(a.Shares[origin], a.State.Shares[origin])
}

// weight is the part of the requests whose origins are critical, by shares.
func (a *assessment) weight(shares map[string]float64) float64 {
	sum := 1e-9 // for what rounding has lost
	for i, s := range a.path {
		if i == 0 || a.path[i-1].Subject != s.Subject { // path is sorted: an origin's signals stand together
			sum += shares[s.Subject]
		}
	}
	return sum
}
