package origin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// waiter is a request that waits for a place.
type waiter struct {
	failed *server      // which it would rather not have
	given  chan *server // gets the server; has room for it
}

// acquire takes a place at a server, waiting for one in the queue where all are taken. failed is avoided where another
// server is usable.
func (p *Pool) acquire(ctx context.Context, failed *server) (*server, error) {
	p.mu.Lock()
	if s := p.pick(time.Now(), failed); s != nil {
		s.inFlight++
		p.mu.Unlock()
		return s, nil
	}
	if len(p.waiting) >= p.options.Concurrency.Queue {
		p.mu.Unlock()
		p.counts.refused.Add(1)
		return nil, newError(ConnectionLimitReached, "", fmt.Errorf("origin %s: %d requests wait for a place already", p.name, p.options.Concurrency.Queue))
	}
	w := &waiter{failed: failed, given: make(chan *server, 1)}
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()
	return p.wait(ctx, w)
}

func (p *Pool) wait(ctx context.Context, w *waiter) (*server, error) {
	timeout := time.NewTimer(p.options.Concurrency.Wait)
	defer timeout.Stop()
	var err error
	select {
	case s := <-w.given:
		return s, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timeout.C:
		p.counts.refused.Add(1)
		err = newError(ConnectionLimitReached, "", fmt.Errorf("origin %s: no place within %s", p.name, p.options.Concurrency.Wait))
	}
	p.leave(w)
	return nil, err
}

// leave takes w out of the queue; a place that it was given meanwhile goes on to the next.
func (p *Pool) leave(w *waiter) {
	p.mu.Lock()
	p.waiting = slices.DeleteFunc(p.waiting, func(o *waiter) bool { return o == w })
	p.mu.Unlock()
	select {
	case s := <-w.given:
		p.release(s)
	default:
	}
}

// release frees a place at s and gives it, or another that is free, to whoever waits longest.
func (p *Pool) release(s *server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.inFlight--
	for len(p.waiting) > 0 {
		w := p.waiting[0]
		next := p.pick(time.Now(), w.failed)
		if next == nil {
			return
		}
		next.inFlight++
		p.waiting = slices.Delete(p.waiting, 0, 1)
		w.given <- next
	}
}

// errIdle ends a response whose content stands still.
var errIdle = errors.New("no octet of the content for too long")
