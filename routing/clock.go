package routing

import (
	"fmt"
	"sync/atomic"
	"time"
)

// stepLimit is how far the wall clock must be off for that to count as a step. NTP slews what is less.
const stepLimit = time.Second

// clock is the time of day as it was at the start, and monotonic from there. Decisions compare times, and a wall clock that
// is set meanwhile must neither end a dwell or an operator's word, nor begin one. Unlike time.Now's, its times survive a
// record in JSON.
type clock struct {
	base  time.Time        // the time of day at start
	start time.Time        // with a monotonic reading
	wall  func() time.Time // the wall clock; what it says decides nothing
	// behind is how far, in nanoseconds, this clock is behind that: what an earlier process's was when it handed over.
	behind atomic.Int64
}

func newClock() *clock {
	now := time.Now()
	return &clock{base: now.Round(0), start: now, wall: func() time.Time { return time.Now().Round(0) }}
}

func (c *clock) now() time.Time { return c.of(time.Now()) }

// of is one of time.Now's times by this clock. A time without a monotonic reading stays as it is.
func (c *clock) of(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return c.base.Add(t.Sub(c.start) - time.Duration(c.behind.Load()))
}

// step is how far the wall clock has been set since the start; 0 below stepLimit.
func (c *clock) step() time.Duration {
	off := c.wall().Sub(c.now())
	if off.Abs() < stepLimit {
		return 0
	}
	return off
}

// stepText says what a step means to who reads times.
func stepText(step time.Duration) string {
	way := "forward"
	if step < 0 {
		way = "back"
	}
	return fmt.Sprintf("the wall clock has been set %s by %s since the start; decisions go on by the time that has passed", way, setting(step.Abs().Round(time.Second)))
}
