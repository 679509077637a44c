package listener

import (
	"sync"
	"sync/atomic"
	"time"
)

// Handshakes knows how many QUIC handshakes this node has to do with, and says when they are so many that a client must
// prove first that its address is its own: with Retry (RFC 9000, section 8.1.2), which costs an honest client a round trip
// and takes a forged address out of the game. Under a flood as many as the limits allow go on without. Its methods may be
// called concurrently.
type Handshakes struct {
	unfinished atomic.Int64

	mu    sync.Mutex // guards the following fields
	limit int64
	rate  float64   // per second
	due   time.Time // when the bucket, of one second's handshakes, is full again
}

// NewHandshakes returns Handshakes with the limits of SetLimits.
func NewHandshakes(unfinished int, rate float64) *Handshakes {
	h := &Handshakes{}
	h.SetLimits(unfinished, rate)
	return h
}

// SetLimits says from how many unfinished handshakes on, and from how many new ones per second on, clients must prove
// their addresses; 0: always.
func (h *Handshakes) SetLimits(unfinished int, rate float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.limit, h.rate = int64(unfinished), rate
}

// crowd is why a client must prove its address, for metrics.
type crowd string

const (
	crowdNone       crowd = ""
	crowdUnfinished crowd = "unfinished"
	crowdRate       crowd = "rate"
	crowdClient     crowd = "client"
)

// crowded is asked for each Initial packet that comes without proof of an address and belongs to no handshake yet.
func (h *Handshakes) crowded(now time.Time) crowd {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.unfinished.Load() >= h.limit:
		return crowdUnfinished
	case !h.take(now):
		return crowdRate
	}
	return crowdNone
}

// take takes one place of the rate's, by the generic cell rate algorithm. h.mu is held.
func (h *Handshakes) take(now time.Time) bool {
	if h.rate <= 0 {
		return false
	}
	due := h.due
	if due.Before(now) {
		due = now
	}
	due = due.Add(time.Duration(float64(time.Second) / h.rate))
	if due.Sub(now) > max(time.Second, time.Duration(float64(time.Second)/h.rate)) {
		return false
	}
	h.due = due
	return true
}
