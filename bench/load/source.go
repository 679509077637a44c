package load

import (
	"context"
	"sync/atomic"
	"time"
)

// source hands out the requests, each once.
type source struct {
	plan  *Plan
	began time.Time
	taken atomic.Int64
	ended atomic.Bool
}

// take returns the next request and when it is due; in a closed loop that is now. ok is false when there is none.
func (s *source) take() (r *Request, due time.Time, ok bool) {
	if s.ended.Load() {
		return nil, time.Time{}, false
	}
	i := int(s.taken.Add(1) - 1)
	if s.plan.Requests > 0 && i >= s.plan.Requests {
		return nil, time.Time{}, false
	}
	if s.plan.Rate > 0 {
		due = s.began.Add(time.Duration(float64(i) / s.plan.Rate * float64(time.Second)))
	} else {
		due = time.Now()
	}
	if d := s.plan.Duration; d > 0 && due.Sub(s.began) >= d {
		return nil, time.Time{}, false
	}
	return s.plan.Request(i), due, true
}

// end lets no further request begin.
func (s *source) end() { s.ended.Store(true) }

// open says that this is an open loop.
func (s *source) open() bool { return s.plan.Rate > 0 }

// late says that a request was due so long ago that its client would have given up.
func (s *source) late(due time.Time) bool { return s.open() && time.Since(due) > s.plan.Timeout }

// sleep waits until t; false when ctx ended first.
func sleep(ctx context.Context, t time.Time) bool {
	d := time.Until(t)
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
