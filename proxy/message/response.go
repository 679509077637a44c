package message

import (
	"errors"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Held is how much of a content is held for its length to be known, in octets.
const Held = 4 << 10

// Stream is where an answer goes. Its deadlines are those of http.ResponseController.
type Stream interface {
	// Send sends a part, behind those before. It keeps nothing of it. After an error there are no more.
	Send(p *Part) error
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// paced is a Stream that cuts off clients which take nothing for SendIdle by itself.
type paced interface {
	SendIdle() time.Duration
	Stalled() bool
}

// Part is a part of an answer, in the order of its fields.
type Part struct {
	Status   int // of the header section that the part begins with; 0: it has none
	Content  [2][]byte
	Trailers http.Header // the trailer section; empty: none
	End      bool        // nothing comes behind it

	response *Response
}

// Size is how much content the part has, in octets.
func (p *Part) Size() int { return len(p.Content[0]) + len(p.Content[1]) }

// Header is the header section, but for fields that Omits is true for.
func (p *Part) Header() http.Header { return p.response.header }

// Omits tells whether a field of Header isn't for the header section: those of the trailer section, and those that are H1's
// alone.
func (p *Part) Omits(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(name, http.TrailerPrefix) || slices.Contains(p.response.trailers, name)
}

// room is what an answer is made in.
type room struct {
	header http.Header
	held   [Held]byte // of the content
}

// usualFields is how many fields most answers have at most.
const usualFields = 14

var rooms = sync.Pool{New: func() any { return &room{header: make(http.Header, usualFields)} }}

// Response is an http.ResponseWriter. http.ResponseController finds its deadlines and FlushError.
type Response struct {
	stream   Stream
	room     *room // nil: it is over
	header   http.Header
	isHead   bool
	status   int    // zero: WriteHeader wasn't called
	sent     bool   // the header section is
	declared int64  // by Content-Length; below 0: it doesn't say
	written  int64  // of the content
	content  []byte // that is held, in room
	trailers []string
	part     Part
	err      error // of sending: what comes behind would be taken for something else
}

// NewResponse returns the answer to a request that came on s. Release is to follow.
func NewResponse(s Stream, isHead bool) *Response {
	w := &Response{stream: s, room: rooms.Get().(*room), isHead: isHead, declared: -1}
	w.header, w.content = w.room.header, w.room.held[:0]
	return w
}

// Release ends the answer: what it was made in is for others, so that nobody may use what Header returned any more. It must be
// called once.
func (w *Response) Release() {
	r := w.room
	w.room, w.header, w.content = nil, nil, nil
	if len(r.header) <= usualFields {
		clear(r.header)
		rooms.Put(r)
	}
}

// errOver is what comes of an answer after its Release.
var errOver = errors.New("the answer is over")

// Header fulfils http.ResponseWriter.
func (w *Response) Header() http.Header {
	if w.room == nil {
		return http.Header{}
	}
	return w.header
}

// WriteHeader fulfils http.ResponseWriter. An informational one is sent at once.
func (w *Response) WriteHeader(status int) {
	switch {
	case w.status != 0 || w.room == nil:
		return
	case status < 200:
		w.announce()
		w.part = Part{Status: status, response: w}
		_ = w.stream.Send(&w.part) // what is wrong with the stream, the content will see
		return
	}
	w.status = status
	if _, ok := w.header["Date"]; !ok {
		w.header["Date"] = []string{time.Now().UTC().Format(http.TimeFormat)}
	}
	if n, err := strconv.ParseUint(first(w.header["Content-Length"]), 10, 63); err == nil {
		w.declared = int64(n)
	} else {
		delete(w.header, "Content-Length")
	}
}

func first(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[0]
}

// Write fulfils http.ResponseWriter.
func (w *Response) Write(p []byte) (int, error) {
	if w.room == nil {
		return 0, errOver
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !HasContent(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if w.written += int64(len(p)); w.declared >= 0 && w.written > w.declared {
		return 0, http.ErrContentLength
	}
	if w.isHead {
		return len(p), nil
	}
	if !w.sent && len(w.content)+len(p) <= Held {
		w.content = append(w.content, p...)
		return len(p), nil
	}
	if err := w.send(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// HasContent tells whether an answer with status has content: RFC 9110, section 6.4.1.
func HasContent(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// FlushError sends what is held.
func (w *Response) FlushError() error {
	if w.room == nil {
		return errOver
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.sent && len(w.content) == 0 {
		return w.err
	}
	return w.send(nil, false)
}

// Flush fulfils http.Flusher.
func (w *Response) Flush() { _ = w.FlushError() }

// SetReadDeadline is for http.ResponseController.
func (w *Response) SetReadDeadline(t time.Time) error { return w.stream.SetReadDeadline(t) }

// SetWriteDeadline is for http.ResponseController.
func (w *Response) SetWriteDeadline(t time.Time) error { return w.stream.SetWriteDeadline(t) }

// SendIdle is how long a client may take nothing before the stream ends the answer by itself; below 0: it doesn't.
func (w *Response) SendIdle() time.Duration {
	if p, ok := w.stream.(paced); ok {
		return p.SendIdle()
	}
	return -1
}

// Stalled tells whether it has done so.
func (w *Response) Stalled() bool {
	p, ok := w.stream.(paced)
	return ok && p.Stalled()
}

// send sends the header section, what is held of the content, and p; with end the trailer section, and the end.
func (w *Response) send(p []byte, end bool) error {
	if w.err != nil {
		return w.err
	}
	w.part = Part{Content: [2][]byte{w.content, p}, End: end, response: w}
	if !w.sent {
		w.sent = true
		w.announce()
		w.sniff(w.content, p)
		w.part.Status = w.status
	}
	if end {
		w.part.Trailers = w.trailerSection()
	}
	w.err = w.stream.Send(&w.part)
	w.content, w.part.Content = nil, [2][]byte{}
	return w.err
}

// sniff finds out the media type as net/http does.
func (w *Response) sniff(held, more []byte) {
	_, has := w.header["Content-Type"]
	if has || first(w.header["Content-Encoding"]) != "" || len(held)+len(more) == 0 || !HasContent(w.status) {
		return
	}
	if len(held) == 0 {
		held = more
	}
	w.header["Content-Type"] = []string{http.DetectContentType(held)}
}

// announce notes the trailers that the field of this name speaks of.
func (w *Response) announce() {
	for _, line := range w.header["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(textproto.TrimString(name))
			if httpguts.ValidTrailerHeader(name) && !slices.Contains(w.trailers, name) {
				w.trailers = append(w.trailers, name)
			}
		}
	}
}

// trailerSection are the trailers that were announced, and those with a prefix for that.
func (w *Response) trailerSection() http.Header {
	var t http.Header
	add := func(name string, values []string) {
		if t == nil {
			t = http.Header{}
		}
		t[name] = append(t[name], values...)
	}
	for _, name := range w.trailers {
		if values := w.header[name]; len(values) > 0 {
			add(name, values)
		}
	}
	for name := range maps.Keys(w.header) {
		if bare, ok := strings.CutPrefix(name, http.TrailerPrefix); ok && httpguts.ValidTrailerHeader(bare) {
			add(bare, w.header[name])
		}
	}
	return t
}

// Finish sends what is held, the trailer section, and the end. It is called when the handler has returned. The error is
// that of the answer, which isn't whole then.
func (w *Response) Finish() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.sent && w.declared < 0 && HasContent(w.status) && (w.written > 0 || !w.isHead) {
		w.header["Content-Length"] = []string{strconv.FormatInt(w.written, 10)}
	}
	if w.err != nil {
		return w.err
	}
	if w.declared > w.written && !w.isHead && HasContent(w.status) {
		if !w.sent || len(w.content) > 0 {
			_ = w.send(nil, false)
		}
		return http.ErrContentLength
	}
	return w.send(nil, true)
}
