package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// retryPause is how long Redis isn't asked again after a call that failed.
const retryPause = 2 * time.Second

// errAway is why Redis couldn't be used.
type errAway struct {
	server string
	err    error
}

func (e *errAway) Error() string { return fmt.Sprintf("redis %s: %v", e.server, e.err) }

func (e *errAway) Unwrap() error { return e.err }

// IsAway tells an answer of Redis from none: whether err means that Redis can't be reached or refuses what it is asked.
func IsAway(err error) bool {
	_, away := errors.AsType[*errAway](err)
	return away
}

// away remembers that Redis is away, so that who needs it doesn't wait for it again and again.
type away struct {
	mu    sync.Mutex // guards the following fields
	err   error      // of the last call; nil: it went well
	since time.Time  // of the first error in a row
	until time.Time  // no call before that
}

// now is why Redis isn't asked now, or nil.
func (a *away) now() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil && time.Now().Before(a.until) {
		return a.err
	}
	return nil
}

func (a *away) note(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if err != nil {
		if a.err == nil {
			a.since = now
		}
		a.until = now.Add(retryPause)
	}
	a.err = err
}

// Away is since when Redis can't be used, and why it couldn't the last time; nil: it could.
func (s *Store) Away() (since time.Time, err error) {
	s.away.mu.Lock()
	defer s.away.mu.Unlock()
	return s.away.since, s.away.err
}

// do makes one call, bounded in time. What Redis hasn't is no error here: f keeps goredis.Nil to itself.
func (s *Store) do(ctx context.Context, f func(context.Context) error) error {
	if err := s.away.now(); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := f(within)
	if err == nil || errors.Is(err, goredis.Nil) {
		s.away.note(nil)
		return err
	}
	if ctx.Err() != nil { // the caller's end says nothing of Redis
		return ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", s.timeout)
	}
	err = &errAway{s.server, err}
	s.away.note(err)
	return err
}
