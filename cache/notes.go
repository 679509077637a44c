package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// noteRetry is how long to wait before notes that the store couldn't write are tried again.
	noteRetry = 10 * time.Second
	// noteWait is how long a purge waits for the disk before it warns.
	noteWait = 5 * time.Second
	// forgetEvery is how often purges are forgotten at most. What was purged that long ago is known to all that was
	// under way then, so that nothing older can still come to the store.
	forgetEvery = 10 * time.Second
)

// notes are the purges that the store has yet to write.
type notes struct {
	mu      sync.Mutex // guards the following field
	pending []purgeNote

	writing  sync.Mutex // held by who writes; guards the following fields
	forgot   time.Time  // when purges were forgotten the last time
	purgedBy uint64     // the purge sequence then

	busy   atomic.Bool // somebody writes behind
	closed atomic.Bool // the store is
}

func (t *notes) add(n purgeNote) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = append(t.pending, n)
}

func (t *notes) take() []purgeNote {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.pending
	t.pending = nil
	return taken
}

// putBack takes back what wasn't written. Of what is purged altogether nothing else needs to be known.
func (t *notes) putBack(list []purgeNote) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = append(list, t.pending...)
	var all uint64
	for i := range t.pending {
		if n := &t.pending[i]; n.ofAll() {
			all = max(all, n.seq)
		}
	}
	kept := t.pending[:0]
	for _, n := range t.pending {
		if n.seq >= all {
			kept = append(kept, n)
		}
	}
	t.pending = kept
}

func (t *notes) empty() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.pending) == 0
}

// remember notes a purge: what is loaded from now on is held against it. It isn't durable yet.
func (c *Cache) remember(n purgeNote) {
	instead := c.tier.past.add(n)
	c.tier.notes.add(n)
	if instead != nil {
		c.tier.notes.add(*instead)
	}
}

// replay learns what was purged before the restart. A note that isn't understood may have named anything.
func (c *Cache) replay(s Store) {
	last := s.Sequence()
	raise(&c.purges.last, last)
	for _, b := range s.Notes() {
		list, ok := parseNote(b)
		if !ok {
			c.log.Error("a note of a purge isn't understood: what is on disk isn't used", "octets", len(b))
			list = []purgeNote{noteOfPrefix(prefixPurge{seq: last + 1})}
			raise(&c.purges.last, last+1)
		}
		for _, n := range list {
			c.tier.past.add(n)
		}
	}
}

// raise sets a to n where that is larger.
func raise(a *atomic.Uint64, n uint64) {
	for old := a.Load(); n > old && !a.CompareAndSwap(old, n); old = a.Load() {
	}
}

// durable returns once the purges so far survive a restart. The error says why they don't yet; it is tried again.
func (c *Cache) durable() error {
	if c.tier == nil {
		return c.storeless
	}
	ctx, cancel := context.WithTimeout(context.Background(), noteWait)
	defer cancel()
	err := c.tier.writeWithin(ctx)
	if err != nil {
		c.durableBehind()
		return err
	}
	c.forgetPurges()
	return nil
}

// writeWithin is write that doesn't wait for a disk that hangs.
func (t *tier) writeWithin(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- t.write() }() // ends with the disk's answer, which nobody can hasten
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errLate
	}
}

// errLate is a disk that hangs.
var errLate = errors.New("note a purge: the disk doesn't answer")

// errClosed is a purge that comes when the cache is closed.
var errClosed = errors.New("note a purge: the cache is closed")

// write writes all notes that are pending. Those that come meanwhile are written together by the next.
func (t *tier) write() error {
	t.notes.writing.Lock()
	defer t.notes.writing.Unlock()
	if t.notes.closed.Load() {
		return errClosed
	}
	list := t.notes.take()
	for len(list) > 0 {
		b, n, seq := appendNotes(nil, list)
		err := t.store.Note(seq, b)
		if errors.Is(err, ErrReleased) {
			return err
		}
		if err != nil {
			t.notes.putBack(list)
			return fmt.Errorf("note a purge: %w", err)
		}
		list = list[n:]
	}
	return nil
}

// durableBehind makes the purges so far durable without waiting. Close waits for it, if the store takes them at once.
func (c *Cache) durableBehind() {
	if c.tier.notes.empty() || !c.tier.notes.busy.CompareAndSwap(false, true) {
		return
	}
	if !c.work.start(c.writeBehind) {
		c.tier.notes.busy.Store(false)
	}
}

func (c *Cache) writeBehind() {
	for failed := false; !c.tier.notes.empty(); {
		err := c.tier.writeWithin(c.work.ctx)
		if err != nil && !failed {
			c.log.Error("purges aren't durable: what they took may be back after a restart", "error", err)
			failed = true
		}
		if err != nil && !c.work.sleep(noteRetry) {
			break
		}
	}
	c.tier.notes.busy.Store(false)
	if !c.work.closed() {
		c.durableBehind() // for what came since the last look
	}
}

// forgetPurges forgets, once in a while, the purges that no record is older than, and nothing that is under way.
func (c *Cache) forgetPurges() {
	t := c.tier
	t.notes.writing.Lock()
	defer t.notes.writing.Unlock()
	if now := time.Now(); !t.notes.closed.Load() && now.Sub(t.notes.forgot) >= forgetEvery {
		seq := min(t.store.Oldest(), t.notes.purgedBy, c.flights.oldest(), t.recalls.oldest())
		t.past.forget(seq)
		t.store.Forget(seq)
		t.notes.forgot, t.notes.purgedBy = now, c.purges.last.Load()
	}
}

// close writes what is pending, and ends the store.
func (t *tier) close(ctx context.Context) error {
	err := t.writeWithin(ctx)
	if errors.Is(err, ErrReleased) {
		err = nil
	}
	t.notes.closed.Store(true)
	return errors.Join(err, t.store.Close(ctx))
}
