package acme

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// defaultRetry are the pauses after the first, second, … failure in a row; the last is that after all others.
// Let's Encrypt refuses a name after five failed validations within an hour.
var defaultRetry = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour,
}

// pause is how long a name rests after its n-th failure in a row, n from 1. An authority that has asked for patience
// gets the longest.
func pause(retry []time.Duration, n int, limited bool) time.Duration {
	if limited {
		return retry[len(retry)-1]
	}
	return retry[min(max(n, 1), len(retry))-1]
}

// spread shortens d by up to a tenth, so that names and nodes don't come all at once.
func spread(d time.Duration) time.Duration {
	return d - time.Duration(rand.Float64()*float64(d)/10)
}

// nextLook is when a certificate is looked at again: each interval, and at its renewal. One that is due and wasn't
// renewed waits for its turn, but not for more than a quarter of what is left of its life: an authority may wish for a
// renewal as soon as it has issued, and certificates that live for less than some intervals are rare, not wrong.
func nextLook(now, renewal, until time.Time, interval time.Duration) time.Time {
	next := now.Add(spread(min(interval, max(until.Sub(now)/4, shortestLook))))
	if renewal.After(now) && renewal.Before(next) {
		return renewal
	}
	return next
}

// shortestLook is how soon a certificate is looked at again at the earliest where nothing has failed.
const shortestLook = 5 * time.Second

// An authority gets so many orders at once, and then one each so often: Let's Encrypt
// takes 300 from an account in three hours, or one each 36 s, and turns away what is above; the next try comes later.
const (
	paceBurst = 20
	paceStep  = 10 * time.Second
)

// pace spaces orders out. The zero value is ready.
type pace struct {
	mu   sync.Mutex // guards the following field
	next time.Time  // when a steady flow would have the next
}

// wait waits for its turn or for ctx's end.
func (p *pace) wait(ctx context.Context) error {
	timer := time.NewTimer(p.take(time.Now()))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take takes the next turn and returns how far off it is.
func (p *pace) take(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if earliest := now.Add(-(paceBurst - 1) * paceStep); p.next.Before(earliest) {
		p.next = earliest
	}
	off := max(p.next.Sub(now), 0)
	p.next = p.next.Add(paceStep)
	return off
}
