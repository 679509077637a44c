package cache

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/anyedge/anyedge/cache/encoding"
	"github.com/anyedge/anyedge/cache/httpfield"
)

// forms are the encoded forms of a stored response. Each is made once, when a hit first wants it, and is a Response of its
// own: with fields, an entity tag and a length that fit it. It belongs to the response that it is made of, is accounted
// with it, and goes with it; what decides over reuse is read of that one alone.
type forms struct {
	list   [encoding.Count]atomic.Pointer[Response] // by coding; those that are stored change with their shard locked
	states [encoding.Count]atomic.Uint32            // a formState each
}

// formState is what becomes of an encoded form.
//
//	unmade ──▶ making ──▶ made       it is in the list
//	  ▲          ├──────▶ worthless  it isn't smaller: the content is sent as it is
//	  └──────────┘ no turn, no memory
type formState = uint32

const (
	formUnmade formState = iota
	formMaking
	formMade
	formWorthless
)

// worthless tells whether an encoded form was made that isn't smaller than the content.
func (s *Response) worthless(c encoding.Coding) bool {
	f := s.forms.Load()
	return f != nil && f.states[c].Load() == formWorthless
}

// form returns an encoded form, nil when it isn't there.
func (s *Response) form(c encoding.Coding) *Response {
	if f := s.forms.Load(); f != nil {
		return f.list[c].Load()
	}
	return nil
}

// formsCost is what the encoded forms take of the memory budget, in bytes.
func (s *Response) formsCost() (n int64) {
	f := s.forms.Load()
	if f == nil {
		return 0
	}
	for c := range f.list {
		if form := f.list[c].Load(); form != nil {
			n += form.cost()
		}
	}
	return n
}

// inherit gives a response that isn't stored yet the forms of one with the same content.
func (s *Response) inherit(old *Response) {
	f := old.forms.Load()
	if f == nil || !s.figures.encodable {
		return
	}
	own := new(forms)
	for c := range f.list {
		if f.states[c].Load() == formWorthless {
			own.states[c].Store(formWorthless)
		}
		if form := f.list[c].Load(); form != nil {
			own.states[c].Store(formMade)
			own.list[c].Store(s.encoded(encoding.Coding(c), form.content))
		}
	}
	s.forms.Store(own)
}

// wantForm has an encoded form made behind the request's back, if it isn't under way and there is room and time for it.
// Else a later hit asks again.
func (c *Cache) wantForm(k *coder, s *Response, coding encoding.Coding) {
	if s.slot == nil { // it is still coming
		return
	}
	f := s.forms.Load()
	if f == nil {
		s.forms.CompareAndSwap(nil, new(forms))
		f = s.forms.Load()
	}
	state := &f.states[coding]
	if state.Load() != formUnmade || !state.CompareAndSwap(formUnmade, formMaking) {
		return
	}
	if !c.startForm(k, s, coding) {
		state.Store(formUnmade)
	}
}

func (c *Cache) startForm(k *coder, s *Response, coding encoding.Coding) bool {
	if !k.jobs.take() {
		return false
	}
	if !c.fills.reserve(s.length) {
		k.jobs.leave()
		return false
	}
	done := func() {
		c.fills.release(s.length)
		k.jobs.leave()
	}
	if !c.work.start(func() { defer done(); c.makeForm(k, s, coding) }) {
		done()
		return false
	}
	return true
}

// makeForm makes an encoded form, and stores it unless the response has gone meanwhile.
func (c *Cache) makeForm(k *coder, s *Response, coding encoding.Coding) {
	state := &s.forms.Load().states[coding]
	content, err := encode(c.work.ctx, k.stored, coding, s.content)
	switch {
	case errors.Is(err, errNotSmaller):
		state.Store(formWorthless)
		c.figures.encoding.skipped(skipNotSmaller)
		return
	case err != nil:
		c.log.Debug("a stored content can't be encoded", "key", s.slot.key, "coding", coding, "error", err)
		return
	}
	if cost, ok := c.index.attach(s, coding, s.encoded(coding, content), c.residency.Limit()); ok {
		c.admit(s.hash, cost)
	}
	c.figures.encoding.made(coding, s.length, content.Size()) // last: what it counts is there
}

// attach stores an encoded form of a stored response, unless its slot then costs more than limit.
func (ix *index) attach(s *Response, c encoding.Coding, form *Response, limit int64) (cost int64, ok bool) {
	ix.whileStored(s, func() {
		if cost = s.slot.cost() + form.cost(); cost > limit {
			return
		}
		f := s.forms.Load()
		f.list[c].Store(form)
		f.states[c].Store(formMade)
		ix.bytes.Add(form.cost())
		ok = true
	})
	return cost, ok
}

// errNotSmaller is an encoded form that isn't worth its memory.
var errNotSmaller = errors.New("encode the content: it isn't smaller")

// encode encodes a content as a whole. What isn't smaller by a tenth is given up.
func encode(ctx context.Context, e *encoding.Encoders, coding encoding.Coding, from Content) (Pieces, error) {
	out := &boundedBuffer{limit: int(from.Size() - from.Size()/10)}
	w := e.Get(coding, out)
	defer w.Release()
	if _, err := from.WriteRange(cancelable{ctx, w}, 0, from.Size()); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return Pieces{append(make([]byte, 0, len(out.data)), out.data...)}, nil
}

// boundedBuffer takes up to limit bytes.
type boundedBuffer struct {
	limit int
	data  []byte
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if len(b.data)+len(p) > b.limit {
		return 0, errNotSmaller
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

// cancelable hands a content on in parts until its context ends, so that a large one doesn't hold up the end.
type cancelable struct {
	ctx context.Context
	w   *encoding.Encoder
}

func (c cancelable) Write(p []byte) (written int, err error) {
	const part = 64 << 10
	for written < len(p) {
		if err := c.ctx.Err(); err != nil {
			return written, err
		}
		n, err := c.w.Write(p[written:min(written+part, len(p))])
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// encoded returns an encoded form of the response: what a client sees of it. content may be nil for one that is yet to
// come.
func (s *Response) encoded(c encoding.Coding, content Content) *Response {
	form := &Response{
		slot: s.slot, status: s.status, figures: s.figures, trailer: s.trailer, etag: suffixed(s.etag, c),
		lastModified: s.lastModified, date: s.date, born: s.born, content: content, length: -1,
		hasHSTS: s.hasHSTS,
	}
	if content != nil {
		form.fields, form.length = encodedFields(s.fields, form.etag, c), content.Size()
	}
	return form
}

// encodedFields are the fields of an encoded form.
func encodedFields(fields block, etag httpfield.ETag, c encoding.Coding) block {
	var b strings.Builder
	b.Grow(len(fields) + len("Content-Encoding: identity\r\n") + len(c.String()))
	writeField(&b, "Content-Encoding", c.String())
	for name, value := range fields.fields() {
		if name != "Etag" && name != "Content-Encoding" {
			writeField(&b, name, value)
		}
	}
	if etag.Opaque != "" {
		writeField(&b, "Etag", etag.String())
	}
	return block(b.String())
}

// suffixed is the entity tag of an encoded form, RFC 9110 §8.8.3.3: a strong one names one representation, so that another
// one has another; a weak one is good for all that mean the same.
func suffixed(e httpfield.ETag, c encoding.Coding) httpfield.ETag {
	if e.Weak || e.Opaque == "" {
		return e
	}
	return httpfield.ETag{Opaque: strings.TrimSuffix(e.Opaque, `"`) + "-" + c.String() + `"`}
}

// unsuffixed is the entity tag that suffixed makes e of; ok is false when it makes it of none.
func unsuffixed(e httpfield.ETag, c encoding.Coding) (original httpfield.ETag, ok bool) {
	opaque, ok := strings.CutSuffix(e.Opaque, "-"+c.String()+`"`)
	if !ok || e.Weak {
		return e, false
	}
	return httpfield.ETag{Opaque: opaque + `"`}, true
}
