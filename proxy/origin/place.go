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
// server is usable. It returns when the place was had, which is now where it was at once.
func (p *Pool) acquire(ctx context.Context, failed *server, now time.Time) (*server, time.Time, error) {
	p.mu.Lock()
	p.handOut() // a place that time alone has freed goes to whoever waits longest
	if s := p.pick(now, failed); s != nil {
		s.take(now)
		p.mu.Unlock()
		p.reporter.Place(p.name, true)
		return s, now, nil
	}
	if len(p.waiting) >= p.options.Concurrency.Queue {
		p.mu.Unlock()
		p.reporter.Place(p.name, false)
		p.counts.refused.Add(1)
		return nil, now, newError(ConnectionLimitReached, "", fmt.Errorf("origin %s: %d requests wait for a place already", p.name, p.options.Concurrency.Queue))
	}
	w := &waiter{failed: failed, given: make(chan *server, 1)}
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()
	p.reporter.Place(p.name, false)
	s, err := p.wait(ctx, w)
	return s, time.Now(), err
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
	p.handOut()
}

// handOut gives free places to those who wait, in their order; one who would rather not have the server that is free
// is passed over. The pool's mutex is held.
func (p *Pool) handOut() {
	if len(p.waiting) == 0 {
		return
	}
	now := time.Now()
	for i := 0; i < len(p.waiting) && p.pick(now, nil) != nil; {
		w := p.waiting[i]
		s := p.pick(now, w.failed)
		if s == nil {
			i++
			continue
		}
		s.take(now)
		p.waiting = slices.Delete(p.waiting, i, i+1)
		w.given <- s
	}
}

// errIdle ends a response whose content stands still.
var errIdle = errors.New("no octet of the content for too long")
