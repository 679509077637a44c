package disk

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// maxRest is how often the rest is doubled.
const maxRest = 5

// breaker lets a disk rest after faults: at once after a fault that counts, with a longer rest each time, until
// something works again.
type breaker struct {
	limit int           // faults in a row that make it rest
	rest  time.Duration // the first one

	troubled atomic.Bool // something failed, and nothing worked since

	mu     sync.Mutex // guards the following fields
	faults int
	rests  int
	until  time.Time
	cause  error
}

// allows tells whether the disk may be tried.
func (b *breaker) allows() bool {
	if !b.troubled.Load() {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !time.Now().Before(b.until)
}

// ok notes that something worked.
func (b *breaker) ok() {
	if !b.troubled.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.troubled.Store(false)
	b.faults, b.rests, b.cause = 0, 0, nil
	b.until = time.Time{}
}

// fault notes that something didn't.
func (b *breaker) fault(log *slog.Logger, what string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.troubled.Store(true)
	b.faults++
	b.cause = err
	if b.faults < b.limit || time.Now().Before(b.until) {
		return
	}
	rest := b.rest << min(b.rests, maxRest)
	b.rests++
	b.until = time.Now().Add(rest)
	log.Warn("the disk rests", "operation", what, "for", rest, "error", err)
}

// reason is why it rests, nil when it doesn't.
func (b *breaker) reason() error {
	if b.allows() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cause
}

// isFull tells whether an error says that there is no room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
