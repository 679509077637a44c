package listener

import (
	"context"
	"sync"
)

// Gate bounds the TCP connections of this node. Beyond the limit, accepted connections wait, one at each socket, and
// the others in the kernel's backlog. Its methods may be called concurrently.
type Gate struct {
	mu    sync.Mutex // guards the following fields
	limit int
	used  int
	freed chan struct{} // closed at the next release; nil: nobody waits
}

// NewGate returns a Gate for limit connections.
func NewGate(limit int) *Gate { return &Gate{limit: limit} }

// SetLimit changes the limit. Connections beyond a lower one stay.
func (g *Gate) SetLimit(limit int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = limit
	g.wake()
}

// Usage returns how many connections there are, and how many there may be.
func (g *Gate) Usage() (used, limit int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.used, g.limit
}

// enter waits for a place until ctx ends; the error is ctx's.
func (g *Gate) enter(ctx context.Context) error {
	for {
		freed := g.try()
		if freed == nil {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// try takes a place and returns nil, or returns what is closed when there may be one.
func (g *Gate) try() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.used < g.limit {
		g.used++
		return nil
	}
	if g.freed == nil {
		g.freed = make(chan struct{})
	}
	return g.freed
}

func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used--
	g.wake()
}

// wake lets everyone who waits try again. g.mu is held.
func (g *Gate) wake() {
	if g.freed != nil {
		close(g.freed)
		g.freed = nil
	}
}
