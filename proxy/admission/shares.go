package admission

import (
	"net/netip"
	"sync"
)

// Shares counts what each client has at once, connections for instance, where a client is an IPv4 address or an IPv6 /64: one
// alone must not take all that there is. Its methods may be called concurrently.
type Shares struct {
	mu    sync.Mutex // guards the following fields
	limit int
	held  map[netip.Addr]int // above 0
}

// NewShares returns Shares with the limit of SetLimit.
func NewShares(limit int) *Shares { return &Shares{limit: limit, held: map[netip.Addr]int{}} }

// SetLimit says how many one client may have; 0: any number. What a client has beyond a lower one stays.
func (s *Shares) SetLimit(limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit
}

// Take gives client one more, which Give takes back, or returns false: it has as many as it may.
func (s *Shares) Take(client netip.Addr) bool {
	client = subscriber(client)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full(client) {
		return false
	}
	s.held[client]++
	return true
}

// Give takes back what Take gave.
func (s *Shares) Give(client netip.Addr) {
	client = subscriber(client)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[client]--; s.held[client] == 0 {
		delete(s.held, client)
	}
}

// Full returns whether client has as many as it may.
func (s *Shares) Full(client netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full(subscriber(client))
}

func (s *Shares) full(client netip.Addr) bool { return s.limit > 0 && s.held[client] >= s.limit }
