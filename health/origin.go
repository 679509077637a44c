package health

import (
	"fmt"
	"sync"
	"time"
)

// Fill is how one fetch from an origin ended.
type Fill struct {
	OK bool
	// Unconnected says that it failed before there was a connection.
	Unconnected bool
	FirstByte   time.Duration // from sending the request to the first byte of the answer; 0 if there was none
	Server      string
	Detail      string // what went wrong, in words; empty if OK
}

// origin is what is known of one origin. Reports hold mu for a few map-free steps only, and a reader for one pass over
// two windows, some microseconds.
type origin struct {
	name   string
	demand counter
	errors counter // of the demand, what got an error of this node's

	mu       sync.Mutex // guards the following fields
	outcomes window[outcomes]
	connects window[outcomes] // ok are those that got a connection
	places   window[outcomes] // ok are those that found a place at a server at once
	latency  window[histogram]
	failure  string // the last failed fill, in words
	servers  servers
	probe    mark
	failures mark
	refusals mark // of the connects
	queue    mark
	firsts   mark // of the latency
	answers  mark
}

// servers is what the active probes found.
type servers struct {
	up, total int
	detail    string
}

func newOrigin(name string) *origin { return &origin{name: name} }

func (o *origin) fill(f Fill, now time.Duration, t *SignalOptions) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.connects.at(now, t.ConnectErrors.Window).count(!f.Unconnected)
	b := o.outcomes.at(now, t.FillErrors.Window)
	if !f.OK {
		b.failed++
		o.failure = joinNonEmpty(f.Server, f.Detail)
		return
	}
	b.ok++
	o.latency.at(now, t.FillLatency.Window).add(f.FirstByte)
}

// place takes whether a fill found a place at a server at once.
func (o *origin) place(atOnce bool, now time.Duration, t *SignalOptions) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.places.at(now, t.FillQueue.Window).count(atOnce)
}

// found takes what the probes found, and says whether that is news.
func (o *origin) found(s servers) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	news := s.up != o.servers.up || s.total != o.servers.total
	o.servers = s
	return news
}

// signals grades what is known at now, which is clock since the windows' start.
func (o *origin) signals(r *report, clock time.Duration, t *SignalOptions) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r.grade(o.fillErrors(clock, t.FillErrors), t.FillErrors.bounds(), &o.failures)
	r.grade(o.connectErrors(clock, t.ConnectErrors), t.ConnectErrors.bounds(), &o.refusals)
	r.grade(o.fillQueue(clock, t.FillQueue), t.FillQueue.bounds(), &o.queue)
	r.grade(o.fillLatency(clock, t.FillLatency), t.FillLatency.bounds(), &o.firsts)
	r.grade(o.originProbe(), t.OriginProbe.bounds(), &o.probe)
	if max(o.failures.grade, o.refusals.grade, o.queue.grade, o.firsts.grade, o.probe.grade) < Warn {
		o.answers = mark{}
		return
	}
	b := t.FillErrors.bounds()
	r.grade(o.unanswered(clock, t.FillErrors.MinSamples), bounds{warn: b.warn, warnExit: b.warnExit}, &o.answers)
}

// unanswered is what clients see of a bad path: what is stored may still serve them.
func (o *origin) unanswered(clock time.Duration, least int) Signal {
	failed, all := o.errors.sum(clock), o.demand.sum(clock)
	s := Signal{Name: Unanswered, Unit: Ratio, Samples: int(all), MinSamples: least}
	if all > 0 {
		s.Value = min(float64(failed)/float64(all), 1)
		s.Detail = fmt.Sprintf("%d of %d requests got an error", failed, all)
	}
	return o.path(s)
}

func (o *origin) fillErrors(clock time.Duration, t RatioThreshold) Signal {
	sum := total(o.outcomes.recent(clock, t.Window))
	s := Signal{Name: FillErrors, Value: sum.ratio(), Unit: Ratio, Samples: sum.samples(), MinSamples: t.MinSamples}
	if sum.failed > 0 {
		s.Detail = fmt.Sprintf("%d of %d fills failed", sum.failed, sum.samples())
		s.Detail = joinNonEmpty(s.Detail, o.failure)
	}
	return o.path(s)
}

func (o *origin) connectErrors(clock time.Duration, t RatioThreshold) Signal {
	sum := total(o.connects.recent(clock, t.Window))
	s := Signal{Name: ConnectErrors, Value: sum.ratio(), Unit: Ratio, Samples: sum.samples(), MinSamples: t.MinSamples}
	if sum.failed > 0 {
		s.Detail = fmt.Sprintf("%d of %d fills got no connection", sum.failed, sum.samples())
	}
	return o.path(s)
}

func (o *origin) fillQueue(clock time.Duration, t RatioThreshold) Signal {
	sum := total(o.places.recent(clock, t.Window))
	s := Signal{Name: FillQueue, Value: sum.ratio(), Unit: Ratio, Samples: sum.samples(), MinSamples: t.MinSamples}
	if sum.failed > 0 {
		s.Detail = fmt.Sprintf("%d of %d fills found all places taken", sum.failed, sum.samples())
	}
	return o.path(s)
}

func (o *origin) fillLatency(clock time.Duration, t LatencyThreshold) Signal {
	d, n := quantile(o.latency.recent(clock, t.Window), t.Quantile)
	s := Signal{Name: FillLatency, Value: d.Seconds(), Unit: Seconds, Samples: n, MinSamples: t.MinSamples}
	if n > 0 {
		s.Detail = fmt.Sprintf("p%g of the time to first byte", 100*t.Quantile)
	}
	return o.path(s)
}

func (o *origin) originProbe() Signal {
	s := Signal{Name: OriginProbe, Unit: Ratio, Samples: o.servers.total}
	if down := o.servers.total - o.servers.up; down > 0 {
		s.Value = float64(down) / float64(o.servers.total)
		s.Detail = joinNonEmpty(fmt.Sprintf("%d/%d servers down", down, o.servers.total), o.servers.detail)
	}
	return o.path(s)
}

func (o *origin) path(s Signal) Signal {
	s.Subject, s.Cause = o.name, Path
	return s
}

func joinNonEmpty(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ": " + b
}
