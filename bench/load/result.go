package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what came of a load.
type Result struct {
	Tally        // all of it
	Closed  bool // a closed loop: latencies leave out how long clients would have waited
	Elapsed time.Duration
	Phases  []Tally // one more than the plan has marks
	Series  []Point // each of 100 ms, by when the answer came
	Resumed int     // handshakes that resumed a session
	Opened  int     // connections

	// Lateness is by how much requests were sent after they were due though a stream was free: the load's own fault.
	Lateness *hdrhistogram.Histogram
}

// Tally counts answers.
type Tally struct {
	Requests int   // with all that failed
	Octets   int64 // of contents
	// Failures are the requests that got no answer or a wrong one, by what went wrong.
	Failures map[string]int
	// Caches are the answers that say in Cache-Status (RFC 9211) how they came about: hit, or what fwd says.
	Caches map[string]int
	// Latency of the answers that were as they must be, in nanoseconds: in an open loop from when they were due.
	Latency *hdrhistogram.Histogram
}

// Failed is how many failed.
func (t *Tally) Failed() int {
	n := 0
	for _, v := range t.Failures {
		n += v
	}
	return n
}

// Point is what came within one part of the time.
type Point struct {
	Answers, Failures int
	Hits, Forwarded   int // as Cache-Status says
	Octets            int64
	Slowest           time.Duration
}

// Step is how long a Point lasts.
const Step = bucket

func newHistogram() *hdrhistogram.Histogram {
	const highest, digits = int64(10 * time.Minute), 3 // 0.1 % of the value
	return hdrhistogram.New(1, highest, digits)
}

func newTally() Tally {
	return Tally{Failures: map[string]int{}, Caches: map[string]int{}, Latency: newHistogram()}
}

// merge adds what another has.
func (t *Tally) merge(o *Tally) {
	t.Requests += o.Requests
	t.Octets += o.Octets
	for k, v := range o.Failures {
		t.Failures[k] += v
	}
	for k, v := range o.Caches {
		t.Caches[k] += v
	}
	t.Latency.Merge(o.Latency)
}

// merge makes one result of those of several connections.
func merge(list []*recorder, p *Plan, elapsed time.Duration) *Result {
	all := &Result{Tally: newTally(), Closed: p.Rate == 0, Elapsed: elapsed, Lateness: newHistogram()}
	for range len(p.Marks) + 1 {
		all.Phases = append(all.Phases, newTally())
	}
	for _, r := range list {
		for i := range r.phases {
			all.merge(&r.phases[i])
			all.Phases[i].merge(&r.phases[i])
		}
		all.Lateness.Merge(r.lateness)
		all.Resumed += r.resumed
		all.Opened += r.opened
		for i, p := range r.series {
			all.at(i).add(p)
		}
	}
	return all
}

// at is the i-th point, which may be one beyond the last.
func (r *Result) at(i int) *Point {
	for len(r.Series) <= i {
		r.Series = append(r.Series, Point{})
	}
	return &r.Series[i]
}

func (p *Point) add(o Point) {
	p.Answers += o.Answers
	p.Failures += o.Failures
	p.Hits += o.Hits
	p.Forwarded += o.Forwarded
	p.Octets += o.Octets
	p.Slowest = max(p.Slowest, o.Slowest)
}
