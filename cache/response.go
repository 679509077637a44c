package cache

import (
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// responseOverhead is what a stored response costs beyond its content, fields and key, in bytes: 352 itself, 48 its slot,
// 48 its content's pieces, about 16 in the table and 50 in the residency, and what these are rounded up to. TestOverhead
// holds it true.
const responseOverhead = 530

const (
	// shortKey is how long a key may be that a Response holds in itself, in bytes: most are no longer, and a hit
	// needn't go and find it elsewhere.
	shortKey = 64
	// maxUses is how far the uses of a response are counted. A hot one soon has them, and then isn't written to any
	// more, which would take its cache line from the other processors.
	maxUses = 3
)

// Response is a stored response. It never changes, except for the notes in its first fields; a newer one replaces it as
// a whole, and who still reads it keeps it.
//
// The fields are in the order of their use, as a hit on one of a million waits for memory more than for anything else:
// the first three cache lines are what decides over it, and they are fetched at once.
type Response struct {
	hash         uint64        // of the key
	slot         *slot         // that it is stored in, nil until then
	vary         []varyField   // shared with others that say the same
	checked      atomic.Uint64 // the purge sequence that it was last held against
	uses         atomic.Uint32 // since the residency last asked, up to maxUses
	several      atomic.Bool   // the newest of several variants
	soft         atomic.Bool   // purged softly: stale whatever the figures say
	revalidating atomic.Bool   // a validation behind a client's back is under way
	kept         atomic.Bool   // the store has it, or has taken it to write it
	keyLength    uint8         // more than shortKey where the key is longer
	hasHSTS      bool          // it has Strict-Transport-Security
	figures      figures
	key          [shortKey]byte        // its begin, see isFor
	forms        atomic.Pointer[forms] // nil until an encoded form is wanted

	fields       block   // the stored header section, without Age and Content-Length
	content      Content // nil while it is still coming
	trailer      block
	length       int64 // of the content; -1 while it is still coming and unknown
	status       int
	etag         httpfield.ETag
	lastModified moment // none as well for one that can't be compared
	date         moment
	tags         []uint64     // hashes
	born         uint64       // the purge sequence when it was asked for
	alone        [1]*Response // itself, as the list of a slot with one variant
}

// enter notes the slot that will hold the response, before others can find it there.
func (s *Response) enter(in *slot, uses uint32) {
	s.hash, s.slot, s.alone[0] = in.hash, in, s
	s.keyLength = uint8(min(len(in.key), shortKey+1))
	copy(s.key[:], in.key)
	s.uses.Store(uses)
}

// isFor tells whether the response is stored for that key.
func (s *Response) isFor(key []byte) bool {
	if len(key) > shortKey {
		return s.slot.key == string(key)
	}
	return len(key) == int(s.keyLength) && string(s.key[:len(key)]) == string(key)
}

// use counts a use, see maxUses, and tells whether it is the first. One that is lost to another processor doesn't
// matter.
func (s *Response) use() (first bool) {
	n := s.uses.Load()
	if n < maxUses {
		s.uses.Store(n + 1)
	}
	return n == 0
}

// spend returns the uses and lowers them by one.
func (s *Response) spend() uint32 {
	n := s.uses.Load()
	if n > 0 {
		s.uses.Store(n - 1)
	}
	return n
}

// Status is the response's status code.
func (s *Response) Status() int { return s.status }

// FieldBlock is the stored header section: lines of "Name: value\r\n". It lacks what each use makes anew: Age,
// Content-Length and Cache-Status. Of a content that may be encoded it has Accept-Encoding in Vary.
func (s *Response) FieldBlock() string { return string(s.fields) }

// HasHSTS tells whether the header section has Strict-Transport-Security, RFC 6797. It doesn't read the section, which is
// memory of its own.
func (s *Response) HasHSTS() bool { return s.hasHSTS }

// TrailerBlock is the stored trailer section in the same form, empty for none.
func (s *Response) TrailerBlock() string { return string(s.trailer) }

// Content is the stored content. It must not be changed. One that is Sliced can't be written by it.
func (s *Response) Content() Content { return s.content }

// Length is the content's, in bytes.
func (s *Response) Length() int64 { return s.length }

// cost is what the response takes of the memory budget, in bytes.
func (s *Response) cost() int64 {
	return resident(s.content) + int64(len(s.fields)+len(s.trailer)) + responseOverhead + s.formsCost()
}

// newResponse returns a response to store, or to share while its content comes. request is the one that brought it.
func newResponse(r *received, fields block, request FieldReader, p Policy) *Response {
	s := &Response{
		status: r.status, fields: fields, figures: newFigures(r, p), date: momentOf(r.date),
		vary: newVary(r.fields, request), length: -1,
	}
	s.note(r.at)
	return s
}

// note notes what uses ask of the fields: which there are, and the validators, RFC 9110 §8.8. A malformed one is none.
func (s *Response) note(received time.Time) {
	var fields FieldReader = s.fields
	s.hasHSTS = has(fields, "Strict-Transport-Security")
	if value, ok := singular(fields, "Etag"); ok {
		s.etag, _ = httpfield.ParseETag(value)
	}
	if value, ok := singular(fields, "Last-Modified"); ok {
		t, _ := httpfield.ParseDate(value, received)
		s.lastModified = momentOf(t)
	}
}

// validates tells whether the origin can be asked for a change.
func (s *Response) validates() bool { return s.etag.Opaque != "" || s.lastModified != 0 }

// useful tells whether a response can ever be used again: fresh, stale, or once validated.
func (s *Response) useful() bool {
	f := &s.figures
	return s.validates() || !f.noCache && f.lifetime+max(f.whileRevalidate, f.ifError) > f.initialAge
}

// shareable tells whether requests that waited for the response may have it as well: it is fresh now.
func (s *Response) shareable() bool {
	return !s.figures.noCache && s.figures.lifetime > s.figures.initialAge
}

// with returns the response as it is stored: with its whole content.
func (s *Response) with(c Content, trailer block) *Response {
	stored := &Response{
		status: s.status, fields: s.fields, trailer: trailer, figures: s.figures, etag: s.etag,
		lastModified: s.lastModified, date: s.date, vary: s.vary, tags: s.tags, born: s.born,
		content: c, length: c.Size(), hasHSTS: s.hasHSTS,
	}
	stored.inherit(s)
	return stored
}
