package cache

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// source is where the content of an answer comes from.
type source interface {
	// writeAll writes the content to the client, writeRange length bytes of it from start on.
	writeAll(x *exchange) error
	writeRange(x *exchange, start, length int64) error
	// seeks tells whether more than one range may be asked for.
	seeks() bool
	trailer() block
	// trailerNames are the names of the trailer fields, as far as they are known before the content.
	trailerNames() []string
}

// answer answers the request with a response that is stored, or about to be: with its content, a part of it, or
// word that it hasn't changed. addFields adds its header section. The error is that of a content that can't be read, of
// which nothing has been sent yet.
func (x *exchange) answer(s *Response, addFields func(http.Header), from source) error {
	now := time.Now()
	rep := x.represent(representation{s, addFields, from}, now)
	defer x.unrepresent()
	s, from = rep.s, rep.from
	h := x.w.Header()
	rep.addFields(h)
	leaveType(h)
	if age := s.figures.age(now); x.status.Hit || age >= time.Second {
		h["Age"] = []string{strconv.FormatInt(int64(age/time.Second), 10)}
	}
	x.status.addTo(h, x.c.name)
	if notModified(s, x.query.fields, now) {
		x.answerNotModified(h)
		return nil
	}
	ranges, result := x.ranges(s, from, now)
	switch result {
	case httpfield.RangeSatisfiable:
		return x.answerRanges(s, ranges, from)
	case httpfield.RangeUnsatisfiable:
		x.answerUnsatisfiable(h, s.length)
	default:
		return x.answerWhole(s, from)
	}
	return nil
}

// leaveType keeps the server from guessing a media type, as net/http does: where the origin says none, that is the client's to
// decide, RFC 9110 §8.3.
func leaveType(h http.Header) {
	if _, said := h["Content-Type"]; !said {
		h["Content-Type"] = nil
	}
}

// answerNotModified drops what describes a content, RFC 9110 §15.4.5.
func (x *exchange) answerNotModified(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "Content-") && name != "Content-Location" && name != "Content-Security-Policy" {
			delete(h, name)
		}
	}
	x.w.WriteHeader(http.StatusNotModified)
}

func (x *exchange) answerWhole(s *Response, from source) error {
	h := x.w.Header()
	names := from.trailerNames()
	if len(names) > 0 {
		h["Trailer"] = []string{strings.Join(names, ", ")}
		delete(h, "Content-Length") // H1 has trailers only behind chunks
	} else if s.length >= 0 && bodyAllowed(s.status) {
		h["Content-Length"] = []string{strconv.FormatInt(s.length, 10)}
	}
	if x.r.Method == http.MethodHead || !bodyAllowed(s.status) {
		x.w.WriteHeader(s.status)
		return nil
	}
	x.begin(s, s.status)
	if err := from.writeAll(x); err != nil {
		return x.broken(err)
	}
	addTrailer(x.w, from.trailer(), names)
	return nil
}

// begin writes the header section, that of a content in the store not before there is something to follow it.
func (x *exchange) begin(s *Response, status int) {
	x.late = nil
	if _, ok := s.content.(*shelved); ok {
		x.late = &lateHead{x: x, status: status}
		return
	}
	x.w.WriteHeader(status)
}

// broken ends an answer whose content ended early, by an error as long as nothing has been sent.
func (x *exchange) broken(err error) error {
	if x.late == nil || x.late.written {
		x.abort()
	}
	return err
}

// abort ends an answer whose content can't be completed: its end must not look like one, RFC 9112 §8.
func (x *exchange) abort() { panic(http.ErrAbortHandler) }

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusResetContent && status != http.StatusNotModified
}

// storedSource is the content of a stored response.
type storedSource struct{ s *Response }

func (f storedSource) writeRange(x *exchange, start, length int64) error {
	w := io.Writer(x.w)
	if x.late != nil {
		w = x.late
	}
	n, err := f.s.content.WriteRange(w, start, length)
	x.fromStored += n
	if err == nil && x.late != nil {
		x.late.write() // there was nothing to follow it
	}
	return err
}

func (f storedSource) writeAll(x *exchange) error { return f.writeRange(x, 0, f.s.length) }

func (f storedSource) seeks() bool    { return true }
func (f storedSource) trailer() block { return f.s.trailer }

func (f storedSource) trailerNames() (names []string) {
	for name := range f.s.trailer.fields() {
		names = append(names, name)
	}
	return names
}
