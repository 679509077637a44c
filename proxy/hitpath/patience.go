package hitpath

import (
	"net"
	"os"
	"sync"
	"time"
)

// patience is how long someone waits who reads nothing: until the deadline for reading is set to a time that has passed,
// which is how net/http ends its watch over a client, or until the connection is closed.
type patience struct {
	mu      sync.Mutex // guards the following fields
	changed sync.Cond  // with mu
	expired bool
	ended   bool
}

func (p *patience) init() { p.changed.L = &p.mu }

// set follows a change of the deadline.
func (p *patience) set(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expired = !t.IsZero() && !t.After(time.Now())
	p.changed.Broadcast()
}

// end is for when the connection is closed.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.changed.Broadcast()
}

func (p *patience) wait() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.expired && !p.ended {
		p.changed.Wait()
	}
	if p.ended {
		return net.ErrClosed
	}
	return os.ErrDeadlineExceeded
}
