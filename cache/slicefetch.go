package cache

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// slice is which slice of what a fill brings.
type slice struct {
	of    *sliced
	hash  uint64 // of the head's key
	head  string
	index int64
}

// reachable tells whether a head leads to the slice, so that storing it is worth anything.
func (s *slice) reachable(c *Cache) bool { return c.hasGeneration(s.hash, s.head, s.of) }

// sliceFill returns a fill of one slice of a head that is stored for the target.
func (c *Cache) sliceFill(t target, head *Response, index int64) *fill {
	of := head.slices()
	key := of.appendKey(nil, []byte(t.key), index)
	f := &fill{
		target: t, c: c,
		slice: &slice{of: of, hash: t.hash, head: t.key, index: index},
		stored: &Response{
			status: statusSlice, length: of.span(index).Length, tags: head.tags, born: t.born, figures: head.figures,
		},
	}
	f.key, f.hash = string(key), c.index.hash(key)
	return f
}

// prepare makes room for what comes. Where there is none, only those who read it already get it.
func (f *fill) prepare(length int64) {
	f.shared = true
	if !f.flow().prepay(length) {
		f.flow().drop()
	}
}

// newSliceFill prepares a fetch of one slice, which this request leads.
func (x *exchange) newSliceFill(head *Response, index int64) *fill {
	f := x.c.sliceFill(x.target(), head, index)
	f.next, f.own.request, f.life = x.next, x.r.Context(), &f.own
	f.sent = *x.r.WithContext(f.life)
	f.sent.Method, f.sent.Body, f.request = http.MethodGet, http.NoBody, &f.sent
	f.takeFields(nil, nil)
	f.setField("If-Range", f.slice.of.validator.String())
	f.asked = f.slice.of.span(index)
	f.askPart()
	return f
}

var (
	// errChanged is an origin that doesn't have the content any more that slices are stored of.
	errChanged = errors.New("fetch a slice: the content at the origin is another one")
	// errRefused is an origin that doesn't send a slice just now, or not for this request.
	errRefused = errors.New("fetch a slice: origin refused")
)

// runSlice fetches a slice. It is the fill's goroutine.
func (f *fill) runSlice() {
	defer f.c.flights.remove(f)
	defer f.recover()
	requested := time.Now()
	response, err := f.next.RoundTrip(f.request)
	if err == nil {
		f.status = response.StatusCode
		r := newReceived(f.c.options.Load().Targeted, f.status, header(response.Header), requested, time.Now())
		if err = f.checkSlice(r, response); err != nil {
			response.Body.Close()
		}
	}
	if err != nil {
		f.cancel()
		f.err = err
		f.answered.tell()
		return
	}
	f.prepare(f.stored.length)
	f.answered.tell()
	f.follow(response)
}

// checkSlice holds an answer against what was asked for. Nothing but that very part of that very content will do. One
// that says it is something else ends the generation.
func (f *fill) checkSlice(r *received, response *http.Response) error {
	what := f.sliceProblem(r, response)
	if what == "" {
		return nil
	}
	if refuses(r.status) {
		return fmt.Errorf("%w: %s", errRefused, what)
	}
	f.c.log.Warn("sliced content dropped", "site", f.site.name, "key", f.slice.head, "slice", f.slice.index, "reason", what)
	f.c.figures.changed.Add(1)
	f.c.dropGeneration(f.slice.hash, f.slice.head, f.slice.of)
	return errChanged
}

// refuses tells which statuses say nothing about the content: they are about this request, or the moment.
func refuses(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// sliceProblem says why an answer isn't the slice, empty when it is.
func (f *fill) sliceProblem(r *received, response *http.Response) string {
	of := f.slice.of
	got, ok := partOf(r, response, f.asked)
	switch {
	case r.status != http.StatusPartialContent:
		return fmt.Sprintf("status %d", r.status)
	case !ok || got.Size != of.size:
		value, _ := r.fields.Line("Content-Range", 0)
		return fmt.Sprintf("Content-Range %q where %q was asked for, of %d", value, rangeOf(f.asked), of.size)
	case !of.validator.matches(r.fields):
		return "another validator"
	case joined(r.fields, "Content-Encoding") != of.encoding:
		return "another Content-Encoding"
	case r.control.Is(httpfield.NoStore | httpfield.Private):
		return "it may not be stored any more"
	}
	return ""
}
