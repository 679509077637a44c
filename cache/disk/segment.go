package disk

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
)

// segment is one file of the log.
type segment struct {
	serial uint32
	path   string
	file   file
	bytes  atomic.Int64  // what it takes of the disk
	oldest atomic.Uint64 // no record in it has a smaller Born
	live   atomic.Int64  // records that the directory has in it

	mu   sync.Mutex // guards the following fields
	refs int
	gone bool
}

// acquire keeps the file open until release; false when it is gone.
func (g *segment) acquire() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return false
	}
	g.refs++
	return true
}

func (g *segment) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refs--
	g.closeIdle()
}

// close closes the file once nobody reads it.
func (g *segment) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = true
	g.closeIdle()
}

func (g *segment) closeIdle() {
	if g.gone && g.refs == 0 && g.file != nil {
		g.file.Close()
		g.file = nil
	}
}

// lower notes the Born of a record that comes into it.
func (g *segment) lower(born uint64) {
	if born < g.oldest.Load() {
		g.oldest.Store(born)
	}
}

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

func segmentName(dir string, serial uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%08x.seg", serial))
}

// segmentSerial reads a file's name; false for what is none of ours.
func segmentSerial(name string) (serial uint32, ok bool) {
	if len(name) != 12 || filepath.Ext(name) != ".seg" {
		return 0, false
	}
	if _, err := fmt.Sscanf(name, "%08x.seg", &serial); err != nil || segmentName("", serial) != name {
		return 0, false
	}
	return serial, true
}

// readFull reads len(p) octets, all or an error.
func readFull(f io.ReaderAt, p []byte, at int64) error {
	n, err := f.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
