package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
)

var _ cache.Store = (*shelf)(nil)

// shelf is a Store in memory, as unhelpful as one may be: what is deleted is back after a restart. Faults are injected
// by its hooks.
type shelf struct {
	mu      sync.Mutex // guards the following fields
	there   map[cache.ID][]cache.Record
	written []cache.Record // ever, oldest first: what a restart may find
	notes   []shelfNote
	found   [][]byte // of notes, at the begin
	loads   int
	deletes int
	closed  bool
	refuse  func(cache.Record) bool
	onLoad  func()
	onNote  func() // called without the lock; set it before the cache begins
	broken  error  // of Note

	damage func(key string, at int64) error // of what is read; called without the lock
}

type shelfNote struct {
	seq  uint64
	text []byte
}

func newShelf() *shelf { return &shelf{there: make(map[cache.ID][]cache.Record)} }

// restarted is what a new process finds.
func (s *shelf) restarted() *shelf {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := newShelf()
	n.damage = s.damage
	for _, r := range s.written {
		r.Content = &shelfContent{Content: r.Content.(*shelfContent).Content, s: n, key: r.Key}
		n.enter(r)
	}
	n.notes = slices.Clone(s.notes)
	for _, note := range s.notes {
		n.found = append(n.found, note.text)
	}
	return n
}

func (s *shelf) enter(r cache.Record) {
	s.written = append(s.written, r)
	rest := slices.DeleteFunc(s.there[r.ID], func(old cache.Record) bool { return old.Variant == r.Variant })
	s.there[r.ID] = append([]cache.Record{r}, rest...)
}

func (s *shelf) Has(id cache.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.there[id]) > 0
}

func (s *shelf) Load(_ context.Context, id cache.ID, key string) []cache.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	list := slices.DeleteFunc(slices.Clone(s.there[id]), func(r cache.Record) bool { return r.Key != key })
	if hook := s.onLoad; hook != nil {
		s.mu.Unlock()
		hook()
		s.mu.Lock()
	}
	return list
}

func (s *shelf) Put(r cache.Record, done func(bool)) bool {
	var b bytes.Buffer
	if _, err := r.Content.WriteRange(&b, 0, r.Content.Size()); err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.refuse != nil && s.refuse(r) {
		return false
	}
	r.Meta = bytes.Clone(r.Meta)
	r.Content = &shelfContent{Content: cache.Pieces{b.Bytes()}, s: s, key: r.Key}
	s.enter(r)
	if done != nil {
		done(true)
	}
	return true
}

func (s *shelf) Delete(id cache.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deletes++
	delete(s.there, id)
}

func (s *shelf) Note(seq uint64, text []byte) error {
	if s.onNote != nil {
		s.onNote()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	s.notes = append(s.notes, shelfNote{seq, bytes.Clone(text)})
	return nil
}

func (s *shelf) Notes() [][]byte { return s.found }

func (s *shelf) Oldest() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest := uint64(math.MaxUint64)
	for _, r := range s.written {
		oldest = min(oldest, r.Born)
	}
	return oldest
}

func (s *shelf) Forget(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = slices.DeleteFunc(s.notes, func(n shelfNote) bool { return n.seq <= seq })
}

func (s *shelf) Sequence() (seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.written {
		seq = max(seq, r.Born)
	}
	for _, n := range s.notes {
		seq = max(seq, n.seq)
	}
	return seq
}

func (s *shelf) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// set changes a hook.
func (s *shelf) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *shelf) count() (records, notes, loads int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.there {
		records += len(list)
	}
	return records, len(s.notes), s.loads
}

// shelfChunk is what shelfContent verifies as a whole, in bytes.
const shelfChunk = 64 << 10

// shelfContent is a content of which some chunks may be damaged.
type shelfContent struct {
	cache.Content
	s   *shelf
	key string
}

func (c *shelfContent) WriteRange(w io.Writer, start, length int64) (written int64, err error) {
	for length > 0 {
		if c.s.damage != nil {
			if err := c.s.damage(c.key, start); err != nil {
				return written, err
			}
		}
		part := min(length, shelfChunk-start%shelfChunk)
		n, err := c.Content.WriteRange(w, start, part)
		written += n
		if err != nil {
			return written, err
		}
		start, length = start+n, length-n
	}
	return written, nil
}

var errDamaged = errors.New("checksum mismatch")

// tiered returns a cache before a store, and what closes it.
func tiered(t testing.TB, s cache.Store, change ...func(*cache.Options)) (c *cache.Cache, stop func()) {
	var o cache.Options
	o.SetDefaults()
	o.Preset, o.Memory = cache.Standard, 16<<20
	for _, f := range change {
		f(&o)
	}
	c = cache.New(o, "edge", memory.New(o.Memory), slog.New(slog.DiscardHandler), cache.WithStore(s))
	stop = sync.OnceFunc(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return c, stop
}

// newCacheWith returns a cache before a store, which the caller closes.
func newCacheWith(s cache.Store) *cache.Cache {
	var o cache.Options
	o.SetDefaults()
	return cache.New(o, "edge", memory.New(o.Memory), slog.New(slog.DiscardHandler), cache.WithStore(s))
}

// hit tells what Cache-Status says of a request: "disk", "memory", or why it went to the origin.
func hit(status string) string {
	switch {
	case strings.Contains(status, "; hit") && strings.Contains(status, "detail=disk"):
		return "disk"
	case strings.Contains(status, "; hit"):
		return "memory"
	}
	_, fwd, _ := strings.Cut(status, "fwd=")
	fwd, _, _ = strings.Cut(fwd, ";")
	return fwd
}
