package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// lockPrefix is ahead of a lock's name.
const lockPrefix = "lock/"

// lockPause is how often a lock that another one has is tried for.
const lockPause = 250 * time.Millisecond

// keep renews a lock for its owner, and takes it again where it has gone with all that Redis had; 0: it is another's.
var keep = goredis.NewScript(`
local held = redis.call("GET", KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return 1`)

// drop releases a lock of its owner; 0: it is another's, or nobody's.
var drop = goredis.NewScript(`
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("DEL", KEYS[1])`)

// lease is a lock that this Store has.
type lease struct {
	name  string
	token string // the owner, and what no other lease has
	stop  context.CancelFunc
	ended chan struct{} // closed when nobody renews it any more
	lost  error         // why it is no longer ours; readable once ended is closed
}

// Lock takes the lock called name, or waits until it can. The lock ends with Unlock; with its owner's death, within the
// configured time.
func (s *Store) Lock(ctx context.Context, name string) error {
	for {
		ok, err := s.TryLock(ctx, name)
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

// TryLock takes the lock called name; false: another one has it, or this Store has it already.
func (s *Store) TryLock(ctx context.Context, name string) (bool, error) {
	if s.holds(name) {
		return false, nil
	}
	l := &lease{name: name, token: s.owner + " " + rand.Text(), ended: make(chan struct{})}
	err := s.do(ctx, func(ctx context.Context) error {
		return s.client.SetArgs(ctx, s.key(lockPrefix+name), l.token, goredis.SetArgs{Mode: "NX", TTL: s.lockLife}).Err()
	})
	if errors.Is(err, goredis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", name, err)
	}
	return true, s.hold(l)
}

func (s *Store) holds(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leases[name] != nil
}

// hold renews l until it is released.
func (s *Store) hold(l *lease) error {
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.leases[l.name] = l
		go s.renew(ctx, l) // ends with release
	}
	s.mu.Unlock()
	if !closed {
		return nil
	}
	stop()
	close(l.ended)
	return errors.Join(fmt.Errorf("lock %s: the storage is closed", l.name), s.release(context.Background(), l))
}

func (s *Store) renew(ctx context.Context, l *lease) {
	defer close(l.ended)
	tick := time.NewTicker(s.lockLife / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var held int
		err := s.do(ctx, func(ctx context.Context) (err error) {
			held, err = keep.Run(ctx, s.client, []string{s.key(lockPrefix + l.name)}, l.token, s.lockLife.Milliseconds()).Int()
			return err
		})
		if err == nil && held == 0 {
			l.lost = fmt.Errorf("the lock %s wasn't renewed in time, and another node has it", l.name)
			return
		}
	}
}

// Unlock releases the lock called name. The error says where it was no longer ours: what it was for was done twice.
func (s *Store) Unlock(ctx context.Context, name string) error {
	s.mu.Lock()
	l := s.leases[name]
	s.mu.Unlock()
	if l == nil {
		return fmt.Errorf("unlock %s: it isn't locked", name)
	}
	return s.release(context.WithoutCancel(ctx), l)
}

// release ends l's renewal and the lock.
func (s *Store) release(ctx context.Context, l *lease) error {
	l.stop()
	<-l.ended
	s.mu.Lock()
	if s.leases[l.name] == l {
		delete(s.leases, l.name)
	}
	s.mu.Unlock()
	if l.lost != nil {
		return l.lost
	}
	var dropped int
	err := s.do(ctx, func(ctx context.Context) (err error) {
		dropped, err = drop.Run(ctx, s.client, []string{s.key(lockPrefix + l.name)}, l.token).Int()
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("unlock %s, which ends by itself: %w", l.name, err)
	case dropped == 0:
		return fmt.Errorf("unlock %s: it had ended before", l.name)
	}
	return nil
}

// Holder is who has the lock called name; empty: nobody.
func (s *Store) Holder(ctx context.Context, name string) (string, error) {
	var token string
	err := s.do(ctx, func(ctx context.Context) (err error) {
		token, err = s.client.Get(ctx, s.key(lockPrefix+name)).Result()
		return err
	})
	if err != nil && !errors.Is(err, goredis.Nil) {
		return "", err
	}
	owner, _, _ := strings.Cut(token, " ")
	return owner, nil
}
