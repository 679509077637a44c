package routing

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/health"
)

// assessment is an input looked at: which signals are bad, and since when what holds.
type assessment struct {
	Input
	local  []health.Signal // critical ones of this node's own
	crit   []health.Signal // critical ones of its origins, those with the most requests first
	uneasy []health.Signal // crit and what warns besides, in the same order
	bad    bool            // crit's origins have at least criticalShare of the requests, now or when it turned bad
	warned bool            // uneasy's have, or unsure isn't empty
	unsure []health.Signal // proofs that warn for want of results: nothing says any more that the VIP is served
	shared []health.Signal // of origins that fail for everyone; not among the others
	load   congestion
	ended  *Drain // one that was asked for and is over
	next   State  // what becomes of Input.State before the level is chosen
}

func assess(in Input) *assessment {
	a := &assessment{Input: in, next: in.State}
	if !in.Drain.holds(in.Now) {
		a.Drain, a.ended = nil, in.Drain
	}
	for _, s := range in.Signals {
		switch {
		case s.Name == health.Unanswered: // what comes of a bad path is no second one
		case s.Grade == health.Crit && s.Cause == health.Local:
			a.local = append(a.local, s)
		case s.Grade == health.Warn && isProof(s.Name) && s.Value < s.Warn:
			a.unsure = append(a.unsure, s)
		case s.Grade >= health.Warn && s.Cause == health.Path:
			a.uneasy = append(a.uneasy, s)
		case s.Cause == health.Load:
			a.load.weigh(s)
		}
	}
	a.uneasy = a.forgive(a.uneasy)
	slices.SortStableFunc(a.uneasy, func(x, y health.Signal) int {
		return cmp.Or(cmp.Compare(a.share(y.Subject), a.share(x.Subject)), cmp.Compare(x.Subject, y.Subject))
	})
	for _, s := range a.uneasy {
		if s.Grade == health.Crit {
			a.crit = append(a.crit, s)
		}
	}
	a.bad = a.weighs(a.crit)
	a.warned = len(a.unsure) > 0 || a.weighs(a.uneasy)
	a.age()
	return a
}

// age brings what State remembers up to now.
func (a *assessment) age() {
	in, n := a.Input, &a.next
	n.Proven = n.Proven || !in.SelfChecks || slices.ContainsFunc(in.Signals, proves) && !slices.ContainsFunc(in.Signals, unproven)
	able := in.Stop == "" && n.Proven && len(a.local) == 0 && a.Drain == nil
	n.FailSince = a.since(slices.ContainsFunc(in.Signals, Failing), n.FailSince)
	n.AbleSince = a.since(able, n.AbleSince)
	n.BadSince = a.since(a.bad, n.BadSince)
	n.GoodSince = a.since(able && !a.bad, n.GoodSince)
	n.WarnSince = a.since(a.warned, n.WarnSince)
	n.WellSince = a.since(able && !a.warned, n.WellSince)
	n.LastDoor = n.LastDoor && !a.reached(n.Damper.below(reuseLimit))
	n.LoadSince = a.since(len(a.load.signals) > 0, n.LoadSince)
	n.LoadCritSince = a.since(a.load.crit, n.LoadCritSince)
	switch {
	case a.warned && len(n.Shares) == 0 && len(in.Shares) > 0:
		n.Shares = in.Shares
	case !a.warned && n.Level == Announced:
		n.Shares = nil
	}
}

func proves(s health.Signal) bool { return isProof(s.Name) && s.Grade == health.OK }

// Failing says whether s tells that a VIP isn't served, if only once so far, or no longer tells that it is.
func Failing(s health.Signal) bool {
	return isProof(s.Name) && (s.Grade >= health.Warn || s.Value > 0)
}

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

// weighs says whether the signals' origins have at least criticalShare of the requests, now or when the path turned bad.
func (a *assessment) weighs(signals []health.Signal) bool {
	return weight(signals, a.Shares) >= criticalShare || weight(signals, a.State.Shares) >= criticalShare
}

// weight is the part of the requests that the signals' origins have, by shares. An origin's signals stand together.
func weight(signals []health.Signal, shares map[string]float64) float64 {
	sum := 1e-9 // for what rounding has lost
	for i, s := range signals {
		if i == 0 || signals[i-1].Subject != s.Subject {
			sum += shares[s.Subject]
		}
	}
	return sum
}

func (a *assessment) reached(due time.Time) bool { return !a.Now.Before(due) }
