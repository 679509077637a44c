package cache

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// part is what a fill asks for in place of the whole content: the slice that a client's range begins in, as long as
// nothing is stored or that is in slices. The answer to it tells how large the content is, and what ties slices of it
// together. A client that asks for a few bytes of something unknown so costs the origin one slice, no more.
func (x *exchange) part() httpfield.Range {
	head := x.found.Response
	size := x.c.sliceSize()
	if size == 0 || head != nil && !head.Sliced() {
		return httpfield.Range{}
	}
	first, ok := x.firstPosition()
	switch {
	case ok && !x.c.marks.has(partMark(x.hash), x.looked) && !x.c.marks.has(wholeMark(x.hash), x.looked):
		return httpfield.Range{Start: first / size * size, Length: size}
	case head != nil && x.found.Hit(): // validated behind the client's back: nobody wants the whole
		return httpfield.Range{Length: size}
	}
	return httpfield.Range{}
}

// firstPosition is where the ranges begin that the client wants; ok is false where it wants the whole.
func (x *exchange) firstPosition() (first int64, ok bool) {
	value, ok := singular(x.query.fields, "Range")
	if !ok {
		return 0, false
	}
	return httpfield.FirstPosition(value)
}

// passesRange tells whether a range of something that isn't stored goes to the origin as it is: where nothing is
// sliced, where slices turned out to be impossible, and where the origin may understand a unit that we don't.
func (x *exchange) passesRange() bool {
	value, ok := x.query.fields.Line("Range", 0)
	if !ok {
		return false
	}
	unit, _, _ := strings.Cut(value, "=")
	return !strings.EqualFold(httpfield.TrimOWS(unit), "bytes") || x.c.sliceSize() == 0 ||
		x.c.marks.has(partMark(x.hash), time.Now())
}

// partMark is the hash under which a key is marked whose content can't be had in slices, wholeMark that of one which is small
// enough to be had as a whole for a range of it. They exclude each other.
func partMark(hash uint64) uint64  { return hash ^ 1<<63 }
func wholeMark(hash uint64) uint64 { return hash ^ 1<<62 }

// markPart notes that the part that was asked for can't be stored: where only a strong validator was missing, the next range
// is worth the whole content if that isn't large.
func (f *fill) markPart() {
	mark := partMark(f.hash)
	if f.reason == ReasonPartial && f.got.Size > 0 && f.got.Size <= f.c.options.Load().Slices.Above {
		mark = wholeMark(f.hash)
	}
	f.c.marks.set(mark, time.Now().Add(markLong))
}

// askedTooFar tells whether there is nothing of what was asked for.
func (f *fill) askedTooFar() bool {
	return f.asked.Length > 0 && f.status == http.StatusRequestedRangeNotSatisfiable
}

// askPart puts the range into the request.
func (f *fill) askPart() {
	if f.asked.Length > 0 {
		f.setField("Range", rangeOf(f.asked))
	}
}

func rangeOf(r httpfield.Range) string {
	return "bytes=" + strconv.FormatInt(r.Start, 10) + "-" + strconv.FormatInt(r.Start+r.Length-1, 10)
}

// unwrap makes a 206 that is what was asked for the response that it is a part of, RFC 9110 §15.3.7, and notes which
// part. What is anything else stays as it came.
func (f *fill) unwrap(r *received, response *http.Response) {
	got, ok := partOf(r, response, f.asked)
	if f.asked.Length == 0 || !ok {
		return
	}
	f.got = got
	response.StatusCode, response.ContentLength = http.StatusOK, got.Length
	delete(response.Header, "Content-Range")
	delete(response.Header, "Content-Length")
	r.status = http.StatusOK
}

// partOf returns what a 206 says about itself; ok is false unless that is the range that was asked for, as far as the
// content goes.
func partOf(r *received, response *http.Response, asked httpfield.Range) (got httpfield.ContentRange, ok bool) {
	value, ok := singular(r.fields, "Content-Range")
	if !ok || r.status != http.StatusPartialContent {
		return got, false
	}
	got, ok = httpfield.ParseContentRange(value)
	return got, ok && got.Size > 0 && got.Start == asked.Start && got.Length == min(asked.Length, got.Size-asked.Start) &&
		(response.ContentLength < 0 || response.ContentLength == got.Length)
}

// whole tells whether what came is all there is of the content.
func (f *fill) whole() bool { return f.got.Length == f.got.Size }

// slicing decides whether a storable response is kept in slices, and returns their size, 0 for one that isn't. A part
// must be: it can only be stored together with what ties it to the others. A whole content is when it is large, and the
// origin says that it understands ranges: else what is evicted of it couldn't be had again without all the rest.
func (f *fill) slicing(r *received, response *http.Response) (size int64, v validator, reason Reason) {
	v, strong := strongValidator(r)
	switch {
	case f.askedTooFar():
		return 0, v, ReasonPartial // it is about the range, whatever lets it be stored
	case !f.whole() && !strong:
		return 0, v, ReasonPartial
	case !f.whole():
		return f.asked.Length, v, ""
	case f.asked.Length > 0 || r.status != http.StatusOK || !strong || len(response.Trailer) > 0:
		return 0, v, ""
	case response.ContentLength <= f.c.options.Load().Slices.Above || !acceptsRanges(r.fields):
		return 0, v, ""
	}
	return f.c.sliceSize(), v, ""
}

// acceptsRanges tells whether the origin says so, RFC 9110 §14.3.
func acceptsRanges(f FieldReader) bool {
	for unit, rest := httpfield.Next(joined(f, "Accept-Ranges")); unit != ""; unit, rest = httpfield.Next(rest) {
		if strings.EqualFold(unit, "bytes") {
			return true
		}
	}
	return false
}

// storeHead makes s the head of a sliced content, and stores it before any of its slices. That needs memory for one.
func (f *fill) storeHead(s *Response, size int64, v validator) Reason {
	first := size
	if f.got.Size > 0 {
		s.length, first = f.got.Size, f.got.Length
	}
	if !f.flow().prepay(first) {
		return ReasonNoRoom
	}
	of := newSliced(s.length, size, v, s.fields)
	if stored := f.c.generationOf(f.hash, f.key, of); stored != nil {
		of = stored
	}
	s.content = of
	f.stored, f.shared = s, true
	f.enter(s)
	return ""
}

// keepPart stores the slice that came as the answer to a range.
func (f *fill) keepPart(response *http.Response) (rest func()) {
	s := f.c.sliceFill(f.target, f.stored, f.got.Start/f.stored.slices().slice)
	s.request, s.life, s.shared = f.request, f.life, true
	s.stream.Store(f.flow())
	s.answered.tell()
	f.c.flights.share(s)
	f.c.flights.detach(f)
	f.answered.tell()
	return func() {
		defer f.c.flights.remove(s)
		s.takeRest(func() { s.follow(response) })
	}
}

// wantsOther tells whether a response that isn't stored can't answer this request: it is a part, but not the one that
// the client asked for, or depends on a condition that we kept to ourselves.
func (x *exchange) wantsOther(f *fill) bool {
	if f.asked.Length > 0 && f.status == http.StatusPartialContent {
		return has(x.query.fields, "If-Range") || conditional(x.query.fields) || !x.isPart(f.response)
	}
	return f.askedTooFar() && has(x.query.fields, "If-Range")
}

// isPart tells whether a 206 has just what the client asked for: an origin may send less than we did, RFC 9110 §15.3.7.
func (x *exchange) isPart(response *http.Response) bool {
	came, _ := singular(header(response.Header), "Content-Range")
	got, ok := httpfield.ParseContentRange(came)
	if !ok || got.Length == 0 {
		return false
	}
	size := got.Size
	if size < 0 { // not known; who asked for a suffix may have got something else
		size = math.MaxInt64
	}
	value, _ := singular(x.query.fields, "Range")
	want, _ := httpfield.ParseRange(nil, value, size)
	return len(want) == 1 && want[0] == got.Range
}
