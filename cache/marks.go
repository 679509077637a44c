package cache

import (
	"net/http"
	"sync/atomic"
	"time"
)

// markSlots is how many keys can be marked at a time; a power of two. Marks that collide overwrite each other, which
// costs no more than requests that wait for each other in vain once more.
const markSlots = 1 << 14

// marks are the keys whose responses can't be shared, so that requests for them don't wait for each other
// ("hit-for-miss"). A mark ends by time, or with the first response that can be shared.
type marks struct {
	slots [markSlots]mark
}

type mark struct {
	hash  atomic.Uint64
	until atomic.Int64 // Unix nanoseconds
}

func (m *marks) set(hash uint64, until time.Time) {
	at := &m.slots[hash%markSlots]
	at.hash.Store(hash)
	at.until.Store(until.UnixNano())
}

func (m *marks) clear(hash uint64) {
	if at := &m.slots[hash%markSlots]; at.hash.Load() == hash {
		at.until.Store(0)
	}
}

func (m *marks) has(hash uint64, now time.Time) bool {
	at := &m.slots[hash%markSlots]
	return at.hash.Load() == hash && at.until.Load() > now.UnixNano()
}

const (
	// markError is how long a mark lasts when the response may soon be another, markLong when it is the rule.
	markError = 10 * time.Second
	markLong  = 2 * time.Minute
)

// markFor is how long requests shouldn't wait for each other after such a response.
func markFor(status int, reason Reason) time.Duration {
	switch {
	case reason == ReasonNoRoom || reason == ReasonPurged || status == http.StatusTooEarly:
		return 0
	case status >= 400 || reason == ReasonSetCookie:
		return markError
	}
	return markLong
}
