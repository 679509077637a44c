package cache

import (
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// sliced is the content of a response that is kept in slices: the head, under the key of the target URI, knows
// validators, freshness and the complete length; each slice is a slot of its own, under a key that only the head leads
// to. So residency, collapsing, purges and eviction work on slices as on all that is stored.
//
//	http://example.com/film                     head: fields, figures, sliced{generation, size, slice, validator}
//	http://example.com/film NUL generation.0    slice 0
//	http://example.com/film NUL generation.7    slice 7; those between weren't wanted so far
//
// A generation is what came under one strong validator: slices of two generations are never combined, RFC 9111 §3.4. It
// lasts while the head is stored, and validated or replaced by one that says it is the same content. Whatever else
// becomes of the head leaves the slices unreachable, and they are freed.
type sliced struct {
	generation uint64 // at random, so that what was purged never comes back
	size       int64  // the complete length, in bytes
	slice      int64  // of each slice but the last, in bytes
	validator  validator
	encoding   string // Content-Encoding, which the validator should cover, but who knows

	cutter atomic.Pointer[cutter] // what cuts a whole content into slices just now, nil for none
}

func newSliced(size, slice int64, v validator, f FieldReader) *sliced {
	return &sliced{generation: rand.Uint64(), size: size, slice: slice, validator: v, encoding: joined(f, "Content-Encoding")}
}

// errSliced is what a sliced content answers that is read as if it were in one piece.
var errSliced = errors.New("read the content: it is kept in slices")

// Size is the complete length, whatever of it is stored.
func (c *sliced) Size() int64 { return c.size }

// WriteRange makes it a Content. Its slices are read by their keys instead.
func (c *sliced) WriteRange(io.Writer, int64, int64) (int64, error) { return 0, errSliced }

// last is the index of the last slice.
func (c *sliced) last() int64 { return (c.size - 1) / c.slice }

// span is what a slice holds of the content.
func (c *sliced) span(index int64) httpfield.Range {
	start := index * c.slice
	return httpfield.Range{Start: start, Length: min(c.slice, c.size-start)}
}

// sliceMark parts the key of a head from what names a slice of it. No request can have it in its target URI.
const sliceMark = "\x00"

// appendKey appends the key of a slice.
func (c *sliced) appendKey(dst, head []byte, index int64) []byte {
	return strconv.AppendInt(c.appendPrefix(dst, head), index, 10)
}

// appendPrefix appends what the keys of all slices begin with.
func (c *sliced) appendPrefix(dst, head []byte) []byte {
	dst = append(append(dst, head...), sliceMark...)
	return append(strconv.AppendUint(dst, c.generation, 36), '.')
}

// headKey is the key that a slice's key leads back to, or the key itself.
func headKey(key string) string {
	head, _, _ := strings.Cut(key, sliceMark)
	return head
}

// slices is the response's content when that is sliced, else nil.
func (s *Response) slices() *sliced {
	c, _ := s.content.(*sliced)
	return c
}

// Sliced tells whether the content is kept in slices. Then Content can't write it; the Cache's Handler can.
func (s *Response) Sliced() bool { return s.slices() != nil }

// sliceSize is how large slices are made, in bytes; 0 when nothing is to be sliced.
func (c *Cache) sliceSize() int64 {
	o := c.options.Load()
	if o.Slices.Above <= 0 || o.Slices.Size > min(o.MaxObject, c.residency.Limit()-sliceOverhead) {
		return 0
	}
	return o.Slices.Size
}

// sliceOverhead is what a slice takes beyond its content, at most, in bytes.
const sliceOverhead = responseOverhead + 8<<10

// findSlice returns a slice that is stored, nil for none.
func (c *Cache) findSlice(of *sliced, head []byte, index int64) *Response {
	var buf [128]byte
	key := of.appendKey(buf[:0], head, index)
	s := c.index.find(c.index.hash(key), key)
	if s == nil || !c.alive(s) {
		return nil
	}
	return s
}

// useSlice returns a slice that is stored and about to be used, nil for none.
func (c *Cache) useSlice(of *sliced, head []byte, index int64) *Response {
	s := c.findSlice(of, head, index)
	if s == nil {
		return nil
	}
	if s.use() && c.tier != nil {
		c.offerAgain(s)
	}
	if c.toucher != nil {
		c.toucher.Touch(s.hash)
	}
	return s
}

// hasGeneration tells whether a head with that generation is stored, so that its slices can be found.
func (c *Cache) hasGeneration(hash uint64, key string, of *sliced) bool {
	s := c.index.get(hash, []byte(key))
	if s == nil {
		return false
	}
	for _, r := range s.list() {
		if r.ofGeneration(of) {
			return true
		}
	}
	return false
}

// generationOf returns the generation that a new one would be the same as: the origin sent it once more.
func (c *Cache) generationOf(hash uint64, key string, of *sliced) *sliced {
	s := c.index.get(hash, []byte(key))
	if s == nil {
		return nil
	}
	for _, r := range s.list() {
		if stored := r.slices(); stored != nil && stored.same(of) && c.alive(r) {
			return stored
		}
	}
	return nil
}

// same tells whether slices of both can be combined.
func (c *sliced) same(o *sliced) bool {
	return c.size == o.size && c.slice == o.slice && c.validator == o.validator && c.encoding == o.encoding
}

func (s *Response) ofGeneration(of *sliced) bool {
	c := s.slices()
	return c != nil && c.generation == of.generation
}

// dropGeneration forgets a content that the origin doesn't have any more.
func (c *Cache) dropGeneration(hash uint64, key string, of *sliced) {
	if c.tier != nil {
		c.tier.recalls.doom(idOf([]byte(key)))
		c.tier.store.Delete(idOf([]byte(key)))
	}
	c.discard(hash, key, func(s *Response) bool { return s.ofGeneration(of) })
}

// dropSlices frees the slices of a generation whose head left the index. Close waits for it.
func (c *Cache) dropSlices(head string, of *sliced) {
	c.work.start(func() {
		if of.last() < c.index.slots.Load() {
			c.dropEach([]byte(head), of)
		} else {
			c.dropFound([]byte(head), of) // an origin may claim any length
		}
	})
}

func (c *Cache) dropEach(head []byte, of *sliced) {
	for index := int64(0); index <= of.last() && !c.work.closed(); index++ {
		key := of.appendKey(nil, head, index)
		c.discard(c.index.hash(key), string(key), anyResponse)
	}
}

func (c *Cache) dropFound(head []byte, of *sliced) {
	prefix := string(of.appendPrefix(nil, head))
	c.index.each(func(s *slot) {
		if strings.HasPrefix(s.key, prefix) {
			c.discard(s.hash, s.key, anyResponse)
		}
	})
}

func anyResponse(*Response) bool { return true }
