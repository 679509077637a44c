package hitpath

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/anyedge/anyedge/proxy/message"
)

const (
	// early is how much of a content without Content-Length is kept back, in octets, since one that ends there gets one.
	early = 2 << 10
	// gathered is how much waits for the handler to flush or to end, in octets.
	gathered = maxRecord
)

// errOver is what a ResponseWriter gets to hear after its handler has returned.
var errOver = errors.New("the handler of this request has returned")

// response is the http.ResponseWriter of one request over H1. What a client gets is what net/http would send:
//
//	WriteHeader ─▶ the fields are written to out, and content behind them ─▶ complete: framing goes between ─▶ sent
//
// The head is complete when there is content or a Flush, or, where the content's length isn't known, when that is more than
// early; what waits in out leaves when it is more than gathered, by Flush, and at the end. It departs from net/http in that
// Transfer-Encoding isn't the handler's to say. It is used by one goroutine at a time.
type response struct {
	conn    *Conn
	turn    *turn
	buffers *buffers // nil: the handler has returned

	head     bool // of a HEAD
	close    bool // it is the last on the connection
	timed    bool // the deadline for writing is the handler's
	complete bool // the header section is
	chunked  bool
	trailed  bool // there may be a trailer section
	typed    bool // the handler said what the content is, or that it is encoded

	status     int      // 0: not said yet
	length     int64    // of the content, as announced; -1: not announced
	written    int64    // octets of the content
	content    int      // where it begins in out as long as the header section isn't complete
	connection []string // the handler's Connection
	trailers   []string // fields that Trailer announces
	err        error    // of writing
}

// buffers are what answers of handlers are made with, one after the other.
type buffers struct {
	header http.Header
	names  []string
	out    []byte // what isn't sent
	tail   []byte // of a header section
	watch  watch
}

func (s *Server) takeBuffers() *buffers {
	if b, ok := s.buffers.Get().(*buffers); ok {
		return b
	}
	return &buffers{header: http.Header{}}
}

func (s *Server) putBuffers(b *buffers) {
	clear(b.header)
	clear(b.names[:cap(b.names)])
	b.names, b.out = b.names[:0], b.out[:0]
	if cap(b.out) <= keptOut {
		s.buffers.Put(b)
	}
}

// Header returns the fields of the answer, and after WriteHeader those of its trailer section.
func (w *response) Header() http.Header {
	if w.buffers == nil {
		return http.Header{}
	}
	return w.buffers.header
}

// WriteHeader sends an informational response, or begins the final one.
func (w *response) WriteHeader(status int) {
	switch {
	case w.status != 0 || w.buffers == nil:
		return
	case status < 100 || status > 999:
		panic(fmt.Sprintf("invalid status %d", status))
	case status < 200 && status != http.StatusSwitchingProtocols:
		w.inform(status)
		return
	}
	w.status = status
	w.begin()
}

// inform sends an informational response.
func (w *response) inform(status int) {
	b := w.buffers
	b.out = appendStatusLine(b.out, status)
	for _, name := range b.sortedNames() {
		if name != lengthField && name != codingField {
			b.out = appendField(b.out, name, b.header[name])
		}
	}
	b.out = append(b.out, lineEnd...)
	_ = w.send(nil) // the final one has the error, too
}

// Write sends content.
func (w *response) Write(p []byte) (int, error) {
	if w.buffers == nil {
		return 0, errOver
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if !message.HasContent(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	w.written += int64(len(p))
	if w.length >= 0 && w.written > w.length {
		return 0, http.ErrContentLength
	}
	if err := w.put(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *response) put(p []byte) error {
	b := w.buffers
	if !w.complete {
		if w.length < 0 && len(b.out)-w.content+len(p) <= early {
			b.out = append(b.out, p...)
			return w.err
		}
		w.finishHead(p, false)
	}
	switch {
	case w.head:
		return w.err
	case w.chunked:
		b.out = appendChunkSize(b.out, len(p))
	}
	if len(b.out)+len(p)+len(lineEnd) <= gathered {
		b.out = append(b.out, p...)
		p = nil
	} else if err := w.send(p); err != nil {
		return err
	}
	if w.chunked {
		b.out = append(b.out, lineEnd...)
	}
	return w.err
}

func appendChunkSize(b []byte, n int) []byte {
	return append(strconv.AppendUint(b, uint64(n), 16), lineEnd...)
}

// Flush sends what waits.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError sends what waits.
func (w *response) FlushError() error {
	if w.buffers == nil {
		return errOver
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.complete {
		w.finishHead(nil, false)
	}
	return w.send(nil)
}

// SetReadDeadline sets the time until which the client must have sent something; net/http's cancel the request then.
func (w *response) SetReadDeadline(t time.Time) error {
	if w.buffers == nil {
		return errOver
	}
	return w.buffers.watch.setDeadline(t)
}

// SetWriteDeadline sets the time until which the client must have taken what is sent.
func (w *response) SetWriteDeadline(t time.Time) error {
	if w.buffers == nil {
		return errOver
	}
	w.timed = true
	return w.conn.SetWriteDeadline(t)
}

// SendIdle is how long the client may take nothing before it is cut off, as long as nobody sets another deadline.
func (w *response) SendIdle() time.Duration { return w.conn.idle }

// Stalled tells whether it was cut off for that.
func (w *response) Stalled() bool { return w.err != nil && !w.timed && w.conn.stalled() }

// EnableFullDuplex changes nothing: there is no content to read.
func (w *response) EnableFullDuplex() error { return nil }

// end sends what is left when the handler has returned, or panicked. An error ends the connection.
func (w *response) end(returned bool) error {
	b := w.buffers
	defer w.over()
	if !returned {
		if w.complete {
			_ = w.send(nil)
		}
		return http.ErrAbortHandler
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.complete {
		w.finishHead(nil, true)
	}
	if w.chunked {
		b.out = append(b.out, "0\r\n"...)
		b.out = w.appendTrailers(b.out)
		b.out = append(b.out, lineEnd...)
	}
	err := w.send(nil)
	switch {
	case err != nil:
		return err
	case !w.head && w.length >= 0 && message.HasContent(w.status) && w.written != w.length:
		return http.ErrContentLength
	case w.close || w.conn.leaving.Load():
		return io.EOF
	}
	return nil
}

// over makes w useless for a handler that goes on using it.
func (w *response) over() {
	w.buffers = nil
	if w.timed {
		w.conn.armed = time.Time{} // what is written next has a time of its own
	}
}

// send sends what waits, and p behind it.
func (w *response) send(p []byte) error {
	b, c := w.buffers, w.conn
	if w.err != nil || len(b.out)+len(p) == 0 {
		return w.err
	}
	if !w.timed {
		c.arm(time.Now())
	}
	w.err = c.sendTogether(b.out, p)
	b.out = b.out[:0]
	if w.err != nil {
		w.turn.End()
	}
	return w.err
}
