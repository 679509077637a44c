package h2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/h2/frame"
	"github.com/anyedge/anyedge/proxy/message"
)

// stream is a request, its response, and the content of that. But for Response, which is its requester's from the answer on, its
// fields are guarded by the connection's mutex.
type stream struct {
	http.Response
	conn    *conn
	id      uint32
	ctx     context.Context // of the request
	stop    func() bool     // keeps its end from resetting the stream
	isHead  bool
	old     bool      // the connection had streams before
	changed sync.Cond // something came, or it is over; one waits
	limit   time.Time // when whoever waits gives up; zero: nobody does, or for ever

	interim  []interim
	room     int64 // for header sections, in octets
	answered bool  // the final header section has come
	ended    bool  // nothing more comes
	err      error // why it doesn't come whole; nil: it may

	left     int64 // octets of the content to come; below 0: it isn't said
	arrived  content
	window   int64       // octets that the server may send beyond those that were read
	receive  int64       // the same beyond those that have come
	consumed int64       // octets that were read, and the server wasn't told of
	trailers http.Header // that have come
}

// section deals with a header section. conn.mu is held.
func (s *stream) section(fields []hpack.HeaderField, size int64, ends bool) {
	if s.room -= size; s.room < 0 {
		s.reset(frame.Cancel, errHeader)
		return
	}
	var err error
	if s.answered {
		err = s.trailerSection(fields, ends)
	} else {
		err = s.answer(fields, ends)
	}
	if err != nil {
		s.malformed(err)
	}
}

// errHeader is named as by net/http.
var errHeader = errors.New("server response headers exceeded the limit")

// answer deals with the header section of an interim or the final response. conn.mu is held.
func (s *stream) answer(fields []hpack.HeaderField, ends bool) error {
	r := s.Request
	if err := message.ReadResponse(&s.Response, 2, fields); err != nil {
		return err
	}
	s.Request = r
	switch status := s.StatusCode; {
	case status == http.StatusSwitchingProtocols:
		return errors.New("101, which is H1's")
	case status < 200 && ends:
		return errors.New("an interim response that ends the stream")
	case status < 200:
		s.interim = append(s.interim, interim{status, s.Header})
		s.changed.Signal()
		return nil
	}
	s.answered, s.limit, s.receive, s.window = true, time.Time{}, firstWindow, firstWindow
	if ends && !s.isHead && s.ContentLength < 0 {
		s.ContentLength = 0
	}
	if s.left = s.ContentLength; s.isHead || !message.HasContent(s.StatusCode) {
		s.left = 0
	}
	s.changed.Signal()
	if ends {
		return s.end()
	}
	return nil
}

// trailerSection deals with the trailer section. conn.mu is held.
func (s *stream) trailerSection(fields []hpack.HeaderField, ends bool) error {
	if !ends {
		return errors.New("a second header section")
	}
	trailers, err := message.ReadTrailers(fields)
	if err != nil {
		return err
	}
	s.trailers = trailers
	return s.end()
}

// data deals with DATA, of which content is the content. conn.mu is held.
func (s *stream) data(f frame.Head, content []byte) {
	size := int64(len(content))
	s.receive -= int64(f.Length)
	switch {
	case !s.answered:
		s.malformed(errors.New("content before the header section"))
		return
	case s.receive < 0:
		s.reset(frame.FlowControlError, fmt.Errorf("%w: more than the stream's window takes", ErrMalformed))
		return
	case s.left >= 0 && size > s.left:
		s.malformed(errors.New("content that is longer than its Content-Length, or that the response can't have"))
		return
	}
	if s.left >= 0 {
		s.left -= size
	}
	s.arrived.put(content)
	s.changed.Signal()
	if f.Has(frame.EndStream) {
		if err := s.end(); err != nil {
			s.malformed(err)
		}
		return
	}
	s.credit(int64(f.Length) - size)
}

// end deals with END_STREAM: the content is whole. conn.mu is held.
func (s *stream) end() error {
	if s.left > 0 {
		return fmt.Errorf("content that lacks %d octets", s.left)
	}
	s.ended = true
	s.conn.closed(s)
	s.changed.Signal()
	return nil
}

// credit lets the server send as much as was read, or was nothing. Twice as much where whoever reads is faster: what a slow one
// leaves here is memory. conn.mu is held.
func (s *stream) credit(n int64) {
	if s.consumed += n; s.consumed < s.window/creditShare || s.ended || s.err != nil {
		return
	}
	if s.arrived.size == 0 && s.window < largestWindow {
		s.consumed += s.window
		s.window *= 2
	}
	s.conn.out = frame.AppendUpdate(s.conn.out, s.id, s.consumed)
	s.receive += s.consumed
	s.consumed = 0
}

// malformed ends a stream for what the server has sent on it, RFC 9113, section 8.1.1. conn.mu is held.
func (s *stream) malformed(err error) {
	s.reset(frame.ProtocolError, fmt.Errorf("%w: %w", ErrMalformed, err))
}

// reset ends a stream that the server may go on with. conn.mu is held.
func (s *stream) reset(code frame.Code, err error) {
	if n := s.conn; n.open[s.id] == s {
		n.out = frame.AppendReset(n.out, s.id, code)
		n.closed(s)
	}
	s.fail(err)
}

// lost ends a stream whose connection is no more. What nothing has come of, over a connection that may have been dead before,
// can be asked for again. conn.mu is held.
func (s *stream) lost(err error) {
	if s.old && !s.answered && s.interim == nil {
		err = &unprocessed{err, false}
	}
	s.fail(err)
}

// fail is why it isn't whole. conn.mu is held.
func (s *stream) fail(err error) {
	if s.err == nil && !s.ended {
		s.err = err
		s.changed.Signal()
	}
}

// abort ends a stream whose request isn't wanted any more.
func (s *stream) abort() {
	n := s.conn
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.ended || s.err != nil {
		return
	}
	s.arrived.drop()
	s.giveUp(context.Cause(s.ctx))
	n.writeBeside()
}
