package origin

import (
	"net/http"
	"sync"
	"time"
)

// The budget looks back 10 s, and always lets a few retries through: a quiet origin has no requests to earn them by.
const (
	budgetSeconds = 10
	budgetFloor   = 10
)

// mayRetry says whether r may be sent again after a failed try: its content can be, it is idempotent or the server
// can't have seen it, the client still waits, and the budget holds. A response is never retried, not even a 503, with
// Retry-After or without: the server has answered, and what a second one makes of the same request is for the client
// to try. What net/http, h1 and h2 send again by themselves, since the server had closed an idle connection or
// refused a stream, is no retry and costs no budget.
func (p *Pool) mayRetry(r *http.Request, content *upload, sent bool, try int) bool {
	switch {
	case try >= p.options.Retry.Max, r.Context().Err() != nil:
		return false
	case sent && !idempotent(r.Method), !content.repeatable():
		return false
	}
	return p.budget.spend(time.Now(), p.options.Retry.Budget)
}

// idempotent says whether doing the request twice is doing it once (RFC 9110 §9.2.2).
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// budget bounds retries to a share of the requests of the last 10 s, so that a dying origin isn't buried by them.
type budget struct {
	mu      sync.Mutex // guards the following fields
	seconds [budgetSeconds]struct {
		second            int64
		requests, retries int
	}
}

func (b *budget) request(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seconds[b.slot(now)].requests++
}

// spend takes a retry out of the budget, or says that there is none.
func (b *budget) spend(now time.Time, share float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	slot := b.slot(now)
	requests, retries := 0, 0
	for _, s := range b.seconds {
		if now.Unix()-s.second < budgetSeconds {
			requests += s.requests
			retries += s.retries
		}
	}
	if retries >= budgetFloor && float64(retries) >= share*float64(requests) {
		return false
	}
	b.seconds[slot].retries++
	return true
}

// slot is now's second in the ring, emptied where it held an older one.
func (b *budget) slot(now time.Time) int {
	i := int(now.Unix() % budgetSeconds)
	if b.seconds[i].second != now.Unix() {
		b.seconds[i].second, b.seconds[i].requests, b.seconds[i].retries = now.Unix(), 0, 0
	}
	return i
}
