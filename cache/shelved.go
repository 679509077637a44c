package cache

import (
	"bytes"
	"maps"
	"net/http"
	"sync"
)

// maxPromoted is how large a content is at most that is taken into memory when it is asked for, in bytes. Larger ones are
// answered from the store, piece by piece.
const maxPromoted = 256 << 10

// shelved is a content in the store. Unlike one in memory it may be gone, or damaged, by the time it is wanted.
type shelved struct {
	Content

	mu     sync.Mutex // guards the following fields: many read it at once, and one reads it from the store
	pieces Pieces
	err    error
	read   bool
}

// small tells whether it is taken into memory.
func (d *shelved) small() bool { return d.Size() <= maxPromoted }

// readAll reads a small content, every octet of which is verified.
func (d *shelved) readAll() (Pieces, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.read {
		return d.pieces, d.err
	}
	d.read = true
	b := bytes.NewBuffer(make([]byte, 0, d.Size()))
	if _, d.err = d.WriteRange(b, 0, d.Size()); d.err == nil {
		d.pieces = Pieces{b.Bytes()}
	}
	return d.pieces, d.err
}

// resident is how much memory a content takes, in bytes.
func resident(c Content) int64 {
	if pieces, ok := c.(Pieces); ok {
		return pieces.Size()
	}
	return 0
}

// readAhead returns a small content from the store as it is in memory, if it can be read, and others as they are.
func readAhead(c Content) Content {
	if d, ok := c.(*shelved); ok && d.small() {
		if pieces, err := d.readAll(); err == nil {
			return pieces
		}
	}
	return c
}

// serveShelved answers with a response whose content is in the store, a small one by way of memory. The error is that of
// a content that can't be read, of which nothing has been sent yet.
func (x *exchange) serveShelved(s *Response, d *shelved) error {
	x.status.Disk = true
	if x.status.detail == "" {
		x.status.detail = "disk"
	}
	if d.small() && x.r.Method != http.MethodHead {
		pieces, err := d.readAll()
		if err != nil {
			return err
		}
		s = x.c.promote(x.hash, string(x.key), s, pieces)
	}
	return x.answer(s, s.fields.addTo, storedSource{s})
}

// promote puts a content into memory that was in the store.
func (c *Cache) promote(hash uint64, key string, s *Response, pieces Pieces) *Response {
	p := s.with(pieces, s.trailer)
	p.soft.Store(s.soft.Load())
	p.kept.Store(true)
	if cost, ok := c.index.replace(hash, key, s, p); ok {
		c.figures.promoted.Add(1)
		c.admit(hash, cost)
	}
	return p
}

// lateHead writes a header section with the first octet of the content: as long as there is none, the request can be
// answered otherwise.
type lateHead struct {
	x       *exchange
	status  int
	written bool
}

func (l *lateHead) Write(p []byte) (int, error) {
	l.write()
	return l.x.w.Write(p)
}

func (l *lateHead) write() {
	if !l.written {
		l.written = true
		l.x.w.WriteHeader(l.status)
	}
}

// lost goes on without a stored response whose content can't be read: as if it had never been there. before is the
// header section from before the attempt.
func (x *exchange) lost(s *Response, before http.Header, err error) step {
	x.c.figures.loadErrors.Add(1)
	x.c.log.Warn("a stored content can't be read: the origin is asked", "key", string(x.key), "error", err)
	if s.slot != nil {
		x.c.discardFromMemory(s)
	}
	h := x.w.Header()
	clear(h)
	maps.Copy(h, before)
	x.found, x.status, x.late = Found{Fwd: FwdURIMiss}, cacheStatus{}, nil
	return missed(x)
}
