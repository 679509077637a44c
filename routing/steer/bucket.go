package steer

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// rate says how many may pass, and how many at once.
type rate struct {
	each  time.Duration // what one takes
	burst time.Duration // what may be taken ahead
}

// newRate is so many a second, of which what comes in burst may pass at once.
func newRate(perSecond int, burst time.Duration) rate {
	return rate{each: time.Second / time.Duration(perSecond), burst: burst}
}

// take says whether one more may pass; until is what was taken, and at is now, both in nanoseconds. It may be called
// concurrently; each call costs one atomic exchange.
func (r rate) take(until *atomic.Int64, at int64) bool {
	for {
		was := until.Load()
		next := max(was, at) + int64(r.each)
		if next-at > int64(r.burst) {
			return false
		}
		if until.CompareAndSwap(was, next) {
			return true
		}
	}
}

// bucket lets a rate pass. Its methods may be called concurrently.
type bucket struct {
	rate
	until atomic.Int64 // nanoseconds since start
	start time.Time
}

func newBucket(perSecond int, burst time.Duration) *bucket {
	return &bucket{rate: newRate(perSecond, burst), start: time.Now()}
}

// allow says whether one more may pass at now.
func (b *bucket) allow(now time.Time) bool { return b.take(&b.until, int64(now.Sub(b.start))) }

// sources lets a rate pass from each network of clients. Networks share buckets by a hash that nobody else knows. Its
// methods may be called concurrently.
type sources struct {
	rate
	until [4096]atomic.Int64
	seed  maphash.Seed
	start time.Time
}

func newSources(perSecond int, burst time.Duration) *sources {
	return &sources{rate: newRate(perSecond, burst), seed: maphash.MakeSeed(), start: time.Now()}
}

// Of networks of clients, in bits: what one customer has at most, as a rule.
const (
	sourceBits4 = 24
	sourceBits6 = 48
)

// allow says whether one more from a client may pass at now.
func (s *sources) allow(client netip.Addr, now time.Time) bool {
	bits := sourceBits6
	if client.Is4() {
		bits = sourceBits4
	}
	network, _ := client.Prefix(bits) // fits the family
	h := maphash.Comparable(s.seed, network)
	return s.take(&s.until[h%uint64(len(s.until))], int64(now.Sub(s.start)))
}
