package load

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// answer is what a driver has seen of an answer. It is kept and filled anew for each.
type answer struct {
	status int
	octets int64
	cache  string // hit, or what fwd says in Cache-Status; empty: it says nothing
}

// recorder takes the answers of one connection, or of its streams.
type recorder struct {
	plan  *Plan
	began time.Time

	mu       sync.Mutex // guards the following fields
	phases   []Tally
	series   []Point
	lateness *hdrhistogram.Histogram
	resumed  int
	opened   int
	first    error // the first failure
}

func newRecorder(p *Plan) *recorder {
	r := &recorder{plan: p, lateness: newHistogram()}
	for range len(p.Marks) + 1 {
		r.phases = append(r.phases, newTally())
	}
	return r
}

// add takes an answer, or the error there was instead, to a request that was due then. It says whether to go on.
func (r *recorder) add(req *Request, due time.Time, a *answer, err error) (goOn bool) {
	now := time.Now()
	took := now.Sub(due)
	if err == nil {
		err = check(req, a)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t, p := r.phase(due), r.point(now)
	t.Requests++
	if err != nil {
		t.Failures[kindOf(err)]++
		p.Failures++
		if r.first == nil {
			r.first = err
		}
		return r.plan.Patient
	}
	t.Octets += a.octets
	_ = t.Latency.RecordValue(min(int64(took), t.Latency.HighestTrackableValue()))
	p.add(Point{Answers: 1, Octets: a.octets, Slowest: took})
	switch a.cache {
	case "":
	case "hit":
		t.Caches[a.cache]++
		p.Hits++
	default:
		t.Caches[a.cache]++
		p.Forwarded++
	}
	return true
}

// check compares an answer with what it must be.
func check(req *Request, a *answer) error {
	want := req.Status
	if want == 0 {
		want = 200
	}
	switch {
	case a.status != want:
		return &failure{kind: statusKind(a.status), path: req.Path}
	case req.Octets >= 0 && a.octets != req.Octets:
		return &failure{kind: "length", path: req.Path, err: lengthError{a.octets, req.Octets}}
	}
	return nil
}

// sent notes that a request which was due then goes out now, and could have gone out since free.
func (r *recorder) sent(due, free time.Time) {
	if free.After(due) {
		due = free
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.lateness.RecordValue(max(int64(time.Since(due)), 0))
}

// connected notes a new connection.
func (r *recorder) connected(resumed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened++
	if resumed {
		r.resumed++
	}
}

// phase is the tally of the phase that due is in. The caller holds the lock.
func (r *recorder) phase(due time.Time) *Tally {
	i, since := 0, due.Sub(r.began)
	for i < len(r.plan.Marks) && since >= r.plan.Marks[i] {
		i++
	}
	return &r.phases[i]
}

// point is the part of the series that now is in. The caller holds the lock.
func (r *recorder) point(now time.Time) *Point {
	i := max(int(now.Sub(r.began)/bucket), 0)
	for len(r.series) <= i {
		r.series = append(r.series, Point{})
	}
	return &r.series[i]
}
