package h2

import (
	"cmp"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/anyedge/anyedge/proxy/h2/frame"
	"github.com/anyedge/anyedge/proxy/hitpath"
	"github.com/anyedge/anyedge/proxy/message"
)

// headers deals with HEADERS.
func (c *Conn) headers(f frame.Head, payload []byte, now time.Time) error {
	text, whole, err := c.block.Begin(f, payload, c.server.Header)
	if err != nil || !whole {
		return err
	}
	return c.section(f, text, now)
}

// continuation deals with CONTINUATION.
func (c *Conn) continuation(f frame.Head, payload []byte, now time.Time) error {
	head, text, whole, err := c.block.Continue(f, payload, c.server.Header)
	if err != nil || !whole {
		return err
	}
	return c.section(head, text, now)
}

// section deals with a header block that is whole: a request, or trailers. It is decoded in any case: later ones build on it.
func (c *Conn) section(f frame.Head, text []byte, now time.Time) error {
	defer c.forget()
	var priority []byte
	if f.Has(frame.HasPriority) {
		priority, text = text[:5], text[5:]
	}
	_, err := c.table.Write(text)
	if err = cmp.Or(err, c.table.Close()); err != nil {
		return &frame.Error{Code: frame.CompressionError, What: err.Error()}
	}
	open, err := c.enter(f, now)
	switch {
	case err != nil:
		return err
	case open == ignored:
		return nil
	case priority != nil && frame.StreamOf(priority) == f.Stream:
		return c.refuse(f.Stream, frame.ProtocolError, !f.Has(frame.EndStream))
	case open == known:
		return c.trailers(f)
	case c.hit(f, now):
		return nil
	}
	return c.request(f)
}

// entry is what HEADERS come to.
type entry int

const (
	fresh   entry = iota // a new stream
	known                // one that is open
	ignored              // one that isn't looked at
)

// enter tells what HEADERS come to, and notes a new stream.
func (c *Conn) enter(f frame.Head, now time.Time) (entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case f.Stream%2 == 0:
		return ignored, &frame.Error{Code: frame.ProtocolError, What: "a stream that clients don't open"}
	case c.broken: // what waits grows no more
		return ignored, os.ErrClosed
	case c.open[f.Stream] != nil:
		return known, nil
	case c.wasCut(f.Stream) || f.Stream <= c.ignored && f.Stream > c.last:
		if f.Has(frame.EndStream) {
			c.forgetCut(f.Stream)
		}
		return ignored, nil
	case f.Stream <= c.last:
		return ignored, &frame.Error{Code: frame.StreamClosed, What: "HEADERS of a stream that is over"}
	case c.left:
		c.ignored = f.Stream
		return ignored, nil
	}
	c.last, c.touched = f.Stream, now
	if len(c.open) >= c.server.Streams {
		c.cutOff(f.Stream, frame.RefusedStream, !f.Has(frame.EndStream))
		c.awaitRoom()
		return ignored, nil
	}
	return fresh, nil
}

// hit answers a request with what is stored, if it is a plain one.
func (c *Conn) hit(f frame.Head, now time.Time) bool {
	if c.server.Hits == nil || !f.Has(frame.EndStream) || c.size > c.server.Header {
		return false
	}
	x := c.server.Hits.Find(c.fields, hitpath.Request{Protocol: "h2", Client: c.client, TLS: c.security, At: now})
	if x == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer(f.Stream, x)
	c.awaitRoom()
	return true
}

// request has a handler answer.
func (c *Conn) request(f frame.Head) error {
	if c.size > c.server.Header {
		return c.tooLarge(f)
	}
	ended := f.Has(frame.EndStream)
	r, err := message.NewRequest(2, c.fields)
	if err != nil || ended && r.ContentLength > 0 {
		return c.refuse(f.Stream, frame.ProtocolError, !ended)
	}
	r.TLS = c.requestState()
	r.RemoteAddr = c.remote
	c.mu.Lock()
	defer c.mu.Unlock()
	s := newStream(c, f.Stream, r, ended)
	c.open[f.Stream] = s
	return c.start(s)
}

// tooLarge answers a request whose header section is far above the limit.
func (c *Conn) tooLarge(f frame.Head) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.output()
	start := len(o.octets)
	o.octets = appendStatus(c.openHeaders(o.octets), http.StatusRequestHeaderFieldsTooLarge)
	o.octets = frame.CloseHeaders(o.octets, start, f.Stream, frame.EndStream)
	if !f.Has(frame.EndStream) {
		c.cutOff(f.Stream, frame.NoError, true)
	}
	c.awaitRoom()
	return nil
}

// trailers deals with the trailer section of a request.
func (c *Conn) trailers(f frame.Head) error {
	t, err := message.ReadTrailers(c.fields)
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.open[f.Stream]
	switch {
	case s == nil: // it ended meanwhile
	case s.clientEnd:
		c.reset(s, frame.StreamClosed)
	case err != nil || !f.Has(frame.EndStream) || c.size > c.server.Header || !s.body.complete():
		c.reset(s, frame.ProtocolError)
	default:
		s.body.trailers = t
		c.clientEnds(s)
	}
	return nil
}

// refuse resets a stream that may not be open, and on which the client may go on.
func (c *Conn) refuse(stream uint32, code frame.Code, goesOn bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.open[stream]; s != nil {
		c.reset(s, code)
	} else {
		c.cutOff(stream, code, goesOn)
	}
	c.awaitRoom()
	return nil
}

// reprioritise deals with PRIORITY_UPDATE (RFC 9218, section 7.1): a stream, and a Priority field.
func (c *Conn) reprioritise(payload []byte) {
	if len(payload) < 4 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.open[frame.StreamOf(payload)]; s != nil {
		s.urgency, _ = message.Priority(string(payload[4:]))
	}
}

// priorityOf is a request's urgency.
func priorityOf(x *hitpath.Exchange) int8 {
	value, ok := x.Request().Line("priority", 0)
	if !ok || strings.TrimSpace(value) == "" {
		return message.DefaultUrgency
	}
	urgency, _ := message.Priority(value)
	return urgency
}
