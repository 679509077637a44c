package steer

import (
	"sync/atomic"
	"time"
)

// bucket lets so many pass in a second, and a burst. Its methods may be called concurrently; each call costs one atomic
// exchange.
type bucket struct {
	each  time.Duration // what one takes
	burst time.Duration // what may be taken ahead
	until atomic.Int64  // what was taken reaches to then, in nanoseconds since start
	start time.Time
}

// newBucket returns a bucket of rate a second that lets burst seconds' worth pass at once.
func newBucket(rate int, burst time.Duration) *bucket {
	return &bucket{each: time.Second / time.Duration(rate), burst: burst, start: time.Now()}
}

// allow says whether one more may pass at now.
func (b *bucket) allow(now time.Time) bool {
	at := int64(now.Sub(b.start))
	for {
		was := b.until.Load()
		next := max(was, at) + int64(b.each)
		if next-at > int64(b.burst) {
			return false
		}
		if b.until.CompareAndSwap(was, next) {
			return true
		}
	}
}
