package disk

import (
	"math"
	"slices"
	"sync"
)

// segments are a disk's, oldest first.
type segments struct {
	mu    sync.RWMutex // guards the following fields
	by    map[uint32]*segment
	order []*segment
}

// add appends the newest segment.
func (t *segments) add(s *segment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = make(map[uint32]*segment)
	}
	t.by[s.serial] = s
	t.order = append(t.order, s)
}

func (t *segments) remove(s *segment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.by, s.serial)
	t.order = slices.DeleteFunc(t.order, func(o *segment) bool { return o == s })
}

// first is the oldest, nil for none.
func (t *segments) first() *segment {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.order) == 0 {
		return nil
	}
	return t.order[0]
}

func (t *segments) list() []*segment {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.order)
}

// acquire returns a segment that is kept open until its release, nil when it is gone.
func (t *segments) acquire(serial uint32) *segment {
	t.mu.RLock()
	s := t.by[serial]
	t.mu.RUnlock()
	if s == nil || !s.acquire() {
		return nil
	}
	return s
}

// count adds to a segment's live records.
func (t *segments) count(serial uint32, n int64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if g := t.by[serial]; g != nil {
		g.live.Add(n)
	}
}

// oldest is the smallest Born of the live records, or a lower one.
func (t *segments) oldest() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	oldest := uint64(math.MaxUint64)
	for _, g := range t.order {
		if g.live.Load() > 0 {
			oldest = min(oldest, g.oldest.Load())
		}
	}
	return oldest
}

// bytes is what all take of the disk.
func (t *segments) bytes() (n int64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, s := range t.order {
		n += s.bytes.Load()
	}
	return n
}
