package cache

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/cache/encoding"
	"github.com/anyedge/anyedge/cache/httpfield"
)

// The request and response fields of content coding.
const (
	acceptEncoding  = "Accept-Encoding"
	contentEncoding = "Content-Encoding"
)

// representation is what a client gets of a response: the response itself, an encoded form of it that is stored, or one
// that is made as it is sent.
type representation struct {
	s         *Response
	addFields func(http.Header)
	from      source
}

// represent chooses the representation of a response, RFC 9110 §12.5.3. Who answers with it calls unrepresent.
func (x *exchange) represent(r representation, now time.Time) representation {
	k, s := x.coder, r.s
	if k == nil || !s.figures.encodable || k.unfitLength(s.length) != "" || digestIn(r.from.trailerNames()) {
		return r
	}
	choice := x.coder.choose(x.query.fields)
	coding := x.codingOf(s, choice)
	if coding == encoding.Identity || s.worthless(coding) && !choice.Must {
		return r
	}
	if form := s.form(coding); form != nil {
		return representation{s: form, addFields: form.fields.addTo, from: storedSource{form}}
	}
	if passing, ok := x.encodePassing(r, coding, now); ok {
		return passing
	}
	return r
}

// codingOf chooses the coding for a request. A range is one of what the client has already, as far as we know: of the
// representation that If-Range names, or of the content as it is.
func (x *exchange) codingOf(s *Response, choice encoding.Choice) encoding.Coding {
	switch {
	case choice.Coding == encoding.Identity || x.query.control.Is(httpfield.NoTransform):
		return encoding.Identity
	case x.r.Method != http.MethodGet || !has(x.query.fields, "Range"):
		return choice.Coding
	case !has(x.query.fields, "If-Range") && !choice.Must:
		return encoding.Identity
	}
	value, _ := singular(x.query.fields, "If-Range")
	named, ok := httpfield.ParseETag(value)
	if !ok {
		x.whole = true // a date doesn't tell representations apart
		return choice.Coding
	}
	if named.StrongEqual(s.etag) {
		return encoding.Identity
	}
	for c := range encoding.Coding(encoding.Count) {
		if choice.Accepted.Has(c) && named.StrongEqual(suffixed(s.etag, c)) && s.form(c) != nil {
			return c
		}
	}
	return choice.Coding
}

// answerOf returns the encoded form that a request gets of a stored response, if it is there, else the response.
func (c *Cache) answerOf(s *Response, q *request) *Response {
	k := c.coder.Load()
	if s.forms.Load() == nil || k == nil || q.control.Is(httpfield.NoTransform) || has(q.fields, "Range") {
		return s
	}
	if form := s.form(k.choose(q.fields).Coding); form != nil {
		return form
	}
	return s
}

// encodePassing has a content encoded as it is sent, as long as not too many are; and a stored one for those who come
// later. An answer without content needs no encoder.
func (x *exchange) encodePassing(r representation, coding encoding.Coding, now time.Time) (representation, bool) {
	s, add := r.s.encoded(coding, nil), r.addFields
	s.content = r.s.content // whether it can be lost
	if x.r.Method == http.MethodGet && !notModified(s, x.query.fields, now) {
		x.c.wantForm(x.coder, r.s, coding)
		if !x.takeStream() {
			return r, false
		}
	}
	describe := func(h http.Header) {
		add(h)
		describeEncoded(h, s.etag, coding)
	}
	return representation{s: s, addFields: describe, from: &encodingSource{source: r.from, coding: coding}}, true
}

// takeStream takes one of the turns for contents that are encoded as they pass; there are none while the node sheds.
func (x *exchange) takeStream() bool {
	x.encodes = !x.c.shedding.Load() && x.coder.streams.take()
	if !x.encodes {
		x.c.figures.encoding.skipped(skipBusy)
	}
	return x.encodes
}

// unrepresent ends what represent or codingOfPassing began.
func (x *exchange) unrepresent() {
	if x.encodes {
		x.coder.streams.leave()
	}
	x.encodes, x.whole = false, false
}

// describeEncoded makes the fields of a response those of an encoded form whose length isn't known. An entity tag that
// is malformed can't be told from that of the original, and goes.
func describeEncoded(h http.Header, etag httpfield.ETag, coding encoding.Coding) {
	h[contentEncoding] = []string{coding.String()}
	delete(h, "Content-Length")
	delete(h, "Accept-Ranges")
	delete(h, "Etag")
	if etag.Opaque != "" {
		h["Etag"] = []string{etag.String()}
	}
}

// varyByCoding says that another Accept-Encoding may get another answer, RFC 9110 §12.5.5.
func varyByCoding(h http.Header) {
	if lines := header(h); !varyNames(lines, acceptEncoding) && !varyNames(lines, "*") {
		h["Vary"] = append(slices.Clip(h["Vary"]), acceptEncoding)
	}
}

func digestIn(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(digests[:], name) })
}

// codeVary puts what the origin was told of Accept-Encoding in the place of what the request says, where Vary nominates it.
// The response isn't stored yet.
func (k *coder) codeVary(vary []varyField, request FieldReader) {
	for i := range vary {
		if v := &vary[i]; k != nil && v.name == acceptEncoding {
			v.value = codedValue(k.choose(request).Accepted, k.chooser.Offer())
		}
	}
}

// varyLine is what the stored fields of a content that may be encoded end with, unless the origin says it itself.
const varyLine = "Vary: " + acceptEncoding + "\r\n"

// enable lets a response be encoded that is about to be stored, or shared, if it is fit for that: its fields then say that
// they vary by it. Else it returns what keeps it from that.
func (k *coder) enable(s *Response) (why skip) {
	if k == nil || s.Sliced() {
		return skipType
	}
	if why = k.unfit(s.status, s.fields, s.length); why != "" {
		return why
	}
	s.figures.encodable = true
	if !varyNames(s.fields, acceptEncoding) {
		s.fields, s.figures.vouched = s.fields+varyLine, true
	}
	return ""
}

// originFields are the stored fields as the origin sent them.
func (s *Response) originFields() block {
	if s.figures.vouched {
		return s.fields[:len(s.fields)-len(varyLine)]
	}
	return s.fields
}

// codedValue is the normal form of Accept-Encoding where the origin is told of a set of codings alone: which of them the
// client may get.
func codedValue(accepted, of encoding.Set) string { return accepted.String() + codedOf + of.String() }

// codedOf can't be in the normal form of a field.
const codedOf = " of "

// codings returns the sets that codedValue was made of.
func (v *varyField) codings() (accepted, of encoding.Set, ok bool) {
	if v.name != acceptEncoding {
		return 0, 0, false
	}
	a, b, ok := strings.Cut(v.value, codedOf)
	if !ok {
		return 0, 0, false
	}
	accepted, ok = encoding.ParseSet(a)
	of, isSet := encoding.ParseSet(b)
	return accepted, of, ok && isSet
}
