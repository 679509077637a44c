package h3

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/hitpath"
	"github.com/anyedge/anyedge/proxy/message"
)

// maxBlock is how much longer than its limit a field section may be as it comes.
const maxBlock = 2

// requestStream is a request that isn't answered at once. It belongs to one goroutine, but for what a handler shares with
// others, reading the content and writing the answer.
type requestStream struct {
	conn *Conn
	*quic.Stream
	in      *bufio.Reader // nil while asked is set, and content wasn't announced
	section section
	asked   bool // the section is decoded, it is all of the request, and no hit answers it
	answer  answer

	next *requestStream // conn.mu guards it: its answer was whole after this one's
}

// least is how small a bufio.Reader can be, in octets.
const least = 16

// newAskedStream returns s, whose request is nothing but a header section, which no hit answers.
func newAskedStream(c *Conn, s *quic.Stream, list []hpack.HeaderField) *requestStream {
	c.enter(s)
	return &requestStream{conn: c, Stream: s, section: section{list: slices.Clone(list)}, asked: true}
}

// newRequestStream returns s, of which first was read, and then came err, or nothing yet.
func newRequestStream(c *Conn, s *quic.Stream, first []byte, err error) *requestStream {
	c.enter(s)
	var rest io.Reader = s
	if err != nil && !isDeadline(err) {
		rest = ended{err}
	}
	if len(first) > 0 {
		rest = io.MultiReader(bytes.NewReader(bytes.Clone(first)), rest)
	}
	return &requestStream{conn: c, Stream: s, in: bufio.NewReader(rest)}
}

// ended is what is left of a stream whose end was read.
type ended struct{ err error }

func (e ended) Read([]byte) (int, error) { return 0, e.err }

// enter notes a request that isn't answered at once.
func (c *Conn) enter(s *quic.Stream) {
	c.busy.Add(1)
	c.config.Begin()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[s.StreamID()] = s
}

// leave notes its end.
func (c *Conn) leave(s *quic.Stream) {
	c.mu.Lock()
	delete(c.open, s.StreamID())
	c.mu.Unlock()
	c.touch(time.Now())
	c.busy.Add(-1)
	c.config.End()
}

// serve answers the request. It leaves where that doesn't get as far as to a handler.
func (r *requestStream) serve() {
	message.GrowStack(false)
	if !r.asked && !r.ask() {
		r.conn.leave(r.Stream)
		return
	}
	req, err := message.NewRequest(3, r.section.list)
	if err != nil {
		r.fail(err)
		r.conn.leave(r.Stream)
		return
	}
	r.handle(req)
}

// ask reads the header section, and answers it if there is a hit. False: nothing is left to do.
func (r *requestStream) ask() bool {
	_ = r.SetReadDeadline(time.Now().Add(r.conn.config.HeaderTimeout))
	switch err := r.readHeaders(); {
	case err == nil:
	case errors.Is(err, errTooLarge):
		r.refuse(http.StatusRequestHeaderFieldsTooLarge)
		return false
	default:
		r.fail(err)
		return false
	}
	x := r.find()
	_ = r.SetReadDeadline(time.Time{})
	if x != nil {
		r.conn.sendHit(r.Stream, x, appendAnswer(nil, x))
	}
	return x == nil
}

// readHeaders reads the header section.
func (r *requestStream) readHeaders() error {
	for {
		kind, length, err := readFrame(r.in)
		if err != nil {
			return &streamError{codeIncomplete, err}
		}
		if kind == frameHeaders {
			return r.readSection(length)
		}
		if err := r.skip(kind, length); err != nil {
			return err
		}
	}
}

// skip passes over a frame that isn't known: RFC 9114, section 9.
func (r *requestStream) skip(kind, length uint64) error {
	switch kind {
	case frameData, frameHeaders, frameCancelPush, frameSettings, framePushPromise, frameGoAway, frameMaxPushID, framePriority, framePushedPriority:
		return &breach{codeFrameUnexpected, fmt.Sprintf("a frame of type %#x in a request", kind)}
	}
	if isReserved(kind) {
		return &breach{codeFrameUnexpected, fmt.Sprintf("a frame of type %#x, which is H2's", kind)}
	}
	if _, err := io.CopyN(io.Discard, r.in, int64(length)); err != nil {
		return &streamError{codeIncomplete, err}
	}
	return nil
}

// readSection reads a field section of so many octets into r.section.
func (r *requestStream) readSection(length uint64) error {
	limit := r.conn.config.Header
	if length > uint64(maxBlock*limit) {
		return errTooLarge
	}
	var block bytes.Buffer // grows as it comes, not as it is announced
	if _, err := io.CopyN(&block, r.in, int64(length)); err != nil {
		return &streamError{codeIncomplete, err}
	}
	err := r.section.decode(block.Bytes(), limit)
	if errors.Is(err, errQPACK) {
		return &breach{codeDecompression, err.Error()}
	}
	return err
}

// find returns the hit that answers the request; nil: there is none, or the request has content.
func (r *requestStream) find() *hitpath.Exchange {
	c := r.conn
	if c.config.Hits == nil || !plainMethod(r.section.list) {
		return nil
	}
	select {
	case <-c.quic.HandshakeComplete():
	default:
		return nil // early data is the handler's to judge
	}
	if _, err := r.in.Peek(1); !errors.Is(err, io.EOF) {
		return nil
	}
	state := c.quic.ConnectionState().TLS
	return c.config.Hits.Find(r.section.list, c.known(hitpath.SecurityOf(&state)))
}

// streamError ends a request, and not its connection.
type streamError struct {
	code code
	err  error
}

func (e *streamError) Error() string { return e.err.Error() }
func (e *streamError) Unwrap() error { return e.err }

// fail ends the request for what is wrong with it, and where that is more than with the request the connection.
func (r *requestStream) fail(err error) {
	var b *breach
	var s *streamError
	switch {
	case errors.As(err, &b):
		r.conn.abort(b.code, b.what)
	case errors.As(err, &s):
		cancel(r.Stream, s.code)
	default:
		cancel(r.Stream, codeMessage)
	}
}

// refuse answers with a status alone. What else comes isn't wanted.
func (r *requestStream) refuse(status int) {
	r.CancelRead(quic.StreamErrorCode(codeExcessiveLoad))
	dst, at := beginHeaders(nil)
	dst = appendNumber(appendStatus(dst, status), "Content-Length", 0)
	_, _ = r.Write(endHeaders(dst, at))
	_ = r.Close()
}

// handle has the handler answer.
func (r *requestStream) handle(req *http.Request) {
	c := r.conn
	req.TLS, req.RemoteAddr = c.state(), c.quic.RemoteAddr().String()
	if p, ok := req.Header["Priority"]; ok {
		r.SetPriority(message.Priority(p[0]))
	}
	req = req.WithContext(requestContext{r.Context(), c.config.Context})
	if r.asked && req.ContentLength <= 0 {
		req.Body, req.ContentLength = http.NoBody, 0
	} else {
		if r.asked {
			r.in = bufio.NewReaderSize(ended{io.EOF}, least)
		}
		req.Body = &body{stream: r, request: req, left: req.ContentLength}
	}
	r.answer = newAnswer(r.Stream)
	w := message.NewResponse(&r.answer, req.Method == http.MethodHead)
	err := error(http.ErrAbortHandler)
	if r.call(w, req) {
		err = w.Finish()
	}
	w.Release()
	if err != nil || len(*r.answer.rest) == 0 {
		r.end(err)
		return
	}
	c.finish(r)
}

// call returns false where the handler gives up on the answer.
func (r *requestStream) call(w http.ResponseWriter, req *http.Request) (ok bool) {
	defer func() {
		p := recover()
		if err, isError := p.(error); p != nil && (!isError || !errors.Is(err, http.ErrAbortHandler)) {
			r.conn.config.Log.Error("a handler panicked", "client", req.RemoteAddr, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	r.conn.config.Handler.ServeHTTP(w, req)
	return true
}
