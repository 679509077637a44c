//go:build lab

package lab_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// Where the VIP is reached.
var (
	vip4 = netip.AddrPortFrom(lab.VIP4, 443).String()
	vip6 = netip.AddrPortFrom(lab.VIP6, 443).String()
)

// The limits for what should come. They are generous: what is measured is logged.
const (
	upLimit   = 40 * time.Second // process start → announced at level 0 and in every router
	moveLimit = 20 * time.Second // cause → another way
	holdTime  = 9 * time.Second  // of every BGP session in the lab
)

// fleet is a running fleet with every router's forwarding table watched.
type fleet struct {
	*lab.Fleet

	core, ams, fra *lab.FIB
}

// start runs a fleet with a node in each metro, and returns once every router leads to them.
func start(t *testing.T, s lab.Settings) *fleet {
	t.Helper()
	f := assemble(t)
	f.Start(s, f.Ams, f.Fra)
	f.waitNormal(upLimit)
	return f
}

// assemble is start without nodes.
func assemble(t *testing.T) *fleet {
	t.Helper()
	l := lab.NewFleet(t)
	return &fleet{Fleet: l, core: l.Core.WatchFIB(), ams: l.Ams.Edge.WatchFIB(), fra: l.Fra.Edge.WatchFIB()}
}

// waitNormal waits until both nodes are announced at level 0, each metro's router leads to its own, and the world to
// ams. It returns since when routers lead there.
func (f *fleet) waitNormal(limit time.Duration) time.Time {
	f.Helper()
	f.waitAnnounced(f.Ams, limit)
	f.waitAnnounced(f.Fra, limit)
	return latest(waitVia(f.ams, "ams-1", limit), waitVia(f.fra, "fra-1", limit), waitVia(f.core, "edge-ams", limit))
}

// waitAnnounced waits until a metro's node asks for traffic.
func (f *fleet) waitAnnounced(m *lab.Metro, limit time.Duration) {
	f.Helper()
	for _, p := range lab.Prefixes() {
		f.Await(m.Name+" announces "+p.String()+" at level 0", limit, func() bool {
			path, ok := learned(m, p)
			return ok && !path.GracefulShutdown()
		})
	}
}

// waitDepreferred waits until a metro's node asks to be left alone.
func (f *fleet) waitDepreferred(m *lab.Metro, limit time.Duration) {
	f.Helper()
	for _, p := range lab.Prefixes() {
		f.Await(m.Name+" deprefers "+p.String(), limit, func() bool {
			path, ok := learned(m, p)
			return ok && path.GracefulShutdown()
		})
	}
}

// waitVia waits until a router leads both prefixes over dev, and returns since when.
func waitVia(fib *lab.FIB, dev string, limit time.Duration) time.Time {
	var since time.Time
	for _, p := range lab.Prefixes() {
		since = latest(since, fib.WaitVia(p, dev, limit))
	}
	return since
}

// waitMoved waits until a router leads both prefixes elsewhere than over dev, and returns since when.
func waitMoved(fib *lab.FIB, dev string, limit time.Duration) time.Time {
	var since time.Time
	for _, p := range lab.Prefixes() {
		since = latest(since, fib.WaitNotVia(p, dev, limit))
	}
	return since
}

// learned is what a metro's router was told of p by its node.
func learned(m *lab.Metro, p netip.Prefix) (lab.Path, bool) {
	from := m.ToNode.B.V4
	if p.Addr().Is6() {
		from = m.ToNode.B.V6
	}
	return lab.Learned(m.Router, p, from)
}

// waitAnswers waits until n more requests of a load ended, so that time passes that clients saw.
func (f *fleet) waitAnswers(load *lab.Load, n int) {
	f.Helper()
	before := len(load.Requests())
	f.Await("requests of the load end", moveLimit, func() bool { return len(load.Requests()) >= before+n })
}

// waitAnswersBy waits until a node has answered n requests that were sent since.
func (f *fleet) waitAnswersBy(load *lab.Load, node string, since time.Time, n int) {
	f.Helper()
	f.Await(node+" answers the load", moveLimit, func() bool { return len(load.Requests().Since(since).By(node)) >= n })
}

// span is a time in which requests may fail, and why.
type span struct {
	why      string
	from, to time.Time
}

// flips are the moments when the world's route to the VIP moved: TCP connections that were open then end at the other
// node, which resets them.
func (f *fleet) flips() []span {
	const slack = 50 * time.Millisecond // the kernel has the route a little before we read of it, a busy machine later
	var spans []span
	for _, p := range lab.Prefixes() {
		for _, e := range f.core.History(p) {
			spans = append(spans, span{"open while the route moved", e.At.Add(-slack), e.At.Add(slack)})
		}
	}
	return spans
}

// failover is the time from a failure until the world's route had moved, and the flips.
func (f *fleet) failover(begin, moved time.Time) []span {
	return append([]span{{"until the route moved", begin, moved}}, f.flips()...)
}

// checkFailures tells how many of a load's requests failed, and that each was under way in a span that explains it.
func checkFailures(t *testing.T, what string, all lab.Requests, spans ...span) {
	t.Helper()
	reasons := map[string]int{}
	for _, r := range all.Failed() {
		i := slices.IndexFunc(spans, func(s span) bool { return r.At.Before(s.to) && r.At.Add(r.Took).After(s.from) })
		if i < 0 {
			t.Errorf("%s: %v", what, r)
			continue
		}
		reasons[spans[i].why]++
	}
	t.Logf("clients, a new connection each 20ms, content %s: %d of %d requests failed %v", what, len(all.Failed()), len(all), reasons)
}

// within is a context for one command.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// ms rounds a duration for a log.
func ms(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
