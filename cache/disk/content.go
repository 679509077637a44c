package disk

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/anyedge/anyedge/cache"
)

// content is the content of a record that was loaded. It follows its record when eviction copies it.
type content struct {
	v       *volume
	id      cache.ID
	variant uint64
	number  uint64
	length  int64
	begin   int64 // counted from the record's start
	place   atomic.Uint64
}

func newContent(v *volume, p place, h *head) *content {
	c := &content{v: v, id: h.id, variant: h.variant, number: h.number, length: h.length, begin: h.content()}
	c.place.Store(p.id())
	return c
}

// Size is its length in bytes.
func (c *content) Size() int64 { return c.length }

// WriteRange writes length bytes from start on to w, each chunk once it is verified. The error is ErrGone when the
// record has made room for others, ErrCorrupt when it isn't what was stored, ErrResting while the disk is out of use,
// and w's own.
func (c *content) WriteRange(w io.Writer, start, length int64) (written int64, err error) {
	if start < 0 || length < 0 || start > c.length-length {
		return 0, fmt.Errorf("read %d bytes from %d of %d: %w", length, start, c.length, io.ErrUnexpectedEOF)
	}
	c.v.directory.touch(c.id, c.variant)
	for length > 0 {
		chunk, skip := start/chunkSize, start%chunkSize
		b, err := c.chunk(chunk, start+length)
		if err != nil {
			return written, err
		}
		part := b.b[skip : len(b.b)-crcSize]
		part = part[:min(int64(len(part)), length)]
		n, err := w.Write(part)
		b.free()
		written += int64(n)
		if err != nil {
			return written, err
		}
		start, length = start+int64(n), length-int64(n)
	}
	return written, nil
}

// chunk reads a chunk with its checksum, which is right. Chunks up to end will follow.
func (c *content) chunk(chunk, end int64) (*buffer, error) {
	b, err := c.read(chunk, end)
	if errors.Is(err, ErrGone) && c.follow() {
		b, err = c.read(chunk, end)
	}
	return b, err
}

func (c *content) read(chunk, end int64) (*buffer, error) {
	p := placeFrom(c.place.Load())
	n := int(min(chunkSize, c.length-chunk*chunkSize)) + crcSize
	b, err := c.v.readers.read(nil, p.serial, p.at()+c.begin+chunk*(chunkSize+crcSize), n, end-(chunk+1)*chunkSize)
	if err != nil {
		return nil, err
	}
	if len(b.b) == n && chunkOK(b.b, c.v.seed, c.number, chunk) {
		return b, nil
	}
	b.free()
	c.v.corrupt(c.id, c.variant, p, errDamaged)
	return nil, fmt.Errorf("read chunk %d of %08x:%d: %w", chunk, p.serial, p.at(), ErrCorrupt)
}

// follow looks for where eviction copied the record to.
func (c *content) follow() bool {
	s, ok := c.v.directory.find(c.id, c.variant)
	if !ok || s.place.id() == c.place.Load() {
		return false
	}
	b, h, err := c.v.readHead(nil, s)
	if err != nil {
		return false
	}
	defer b.free()
	if h.number != c.number || h.id != c.id {
		return false
	}
	c.place.Store(s.place.id())
	return true
}
