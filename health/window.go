package health

import (
	"iter"
	"time"
)

// bucketCount is how many buckets a window has: it slides by a tenth of its span.
const bucketCount = 10

// window holds what was reported during the last span, in a ring of buckets of T. It is pure: times are passed in, as
// the time since some fixed start. It is not safe for concurrent use.
type window[T any] struct {
	width   time.Duration // of a bucket; 0 before the first use
	buckets [bucketCount]bucket[T]
}

type bucket[T any] struct {
	turn  int64 // now / width when it was emptied last
	value T
}

// at returns the bucket that now falls into. Another span than before empties the window.
func (w *window[T]) at(now, span time.Duration) *T {
	turn := w.turn(now, span)
	b := &w.buckets[turn%bucketCount]
	if b.turn < turn { // a report that comes late joins the newer bucket
		*b = bucket[T]{turn: turn}
	}
	return &b.value
}

// recent yields the buckets of the last span, including the one under way.
func (w *window[T]) recent(now, span time.Duration) iter.Seq[*T] {
	oldest := w.turn(now, span) - bucketCount + 1
	return func(yield func(*T) bool) {
		for i := range w.buckets {
			if b := &w.buckets[i]; b.turn >= oldest && !yield(&b.value) {
				return
			}
		}
	}
}

func (w *window[T]) turn(now, span time.Duration) int64 {
	if width := max(span/bucketCount, 1); width != w.width {
		*w = window[T]{width: width}
	}
	return int64(max(now, 0) / w.width)
}

// outcomes counts fills by how they ended, or how a part of them went.
type outcomes struct{ ok, failed int }

func (o *outcomes) count(ok bool) {
	if ok {
		o.ok++
		return
	}
	o.failed++
}

// total adds up what the window's buckets hold.
func total(buckets iter.Seq[*outcomes]) (sum outcomes) {
	for b := range buckets {
		sum.ok += b.ok
		sum.failed += b.failed
	}
	return sum
}

func (o outcomes) samples() int { return o.ok + o.failed }

// ratio is the share that failed, 0 without samples.
func (o outcomes) ratio() float64 {
	if o.failed == 0 {
		return 0
	}
	return float64(o.failed) / float64(o.samples())
}
