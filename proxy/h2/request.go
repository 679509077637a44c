package h2

import (
	"cmp"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/anyedge/anyedge/proxy/hitpath"
	"github.com/anyedge/anyedge/proxy/message"
)

// maxContinuations bounds how many frames carry one header block: more are a flood.
const maxContinuations = 64

// block is a header block that isn't whole yet.
type block struct {
	head  frame // of its HEADERS; stream 0: none is coming
	text  []byte
	count int // of frames
}

// headers deals with HEADERS.
func (c *Conn) headers(f frame, payload []byte, now time.Time) error {
	text, ok := unpad(f, payload)
	if !ok {
		return &connectionError{codeProtocol, "HEADERS with padding that is too long"}
	}
	if f.has(flagPriority) && len(text) < 5 {
		return &connectionError{codeFrameSize, "HEADERS without the priority that it should have"}
	}
	if !f.has(flagEndHeaders) {
		c.block = block{head: f, text: append([]byte(nil), text...)}
		return c.checkBlock()
	}
	return c.section(f, text, now)
}

// continuation deals with CONTINUATION.
func (c *Conn) continuation(f frame, payload []byte, now time.Time) error {
	k := &c.block
	if k.head.stream == 0 {
		return &connectionError{codeProtocol, "CONTINUATION of nothing"}
	}
	k.text = append(k.text, payload...)
	k.count++
	if err := c.checkBlock(); err != nil || !f.has(flagEndHeaders) {
		return err
	}
	head, text := k.head, k.text
	c.block = block{}
	return c.section(head, text, now)
}

// checkBlock holds a block to its limits.
func (c *Conn) checkBlock() error {
	if c.block.count > maxContinuations || int64(len(c.block.text)) > c.server.Header {
		return &connectionError{codeEnhanceYouCalm, "a header block that doesn't end"}
	}
	return nil
}

// section deals with a header block that is whole: a request, or trailers. It is decoded in any case: later ones build on it.
func (c *Conn) section(f frame, text []byte, now time.Time) error {
	defer c.forget()
	var priority []byte
	if f.has(flagPriority) {
		priority, text = text[:5], text[5:]
	}
	_, err := c.table.Write(text)
	if err = cmp.Or(err, c.table.Close()); err != nil {
		return &connectionError{codeCompression, err.Error()}
	}
	open, err := c.enter(f, now)
	switch {
	case err != nil:
		return err
	case open == ignored:
		return nil
	case priority != nil && streamOf(priority) == f.stream:
		return c.refuse(f.stream, codeProtocol, !f.has(flagEndStream))
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
func (c *Conn) enter(f frame, now time.Time) (entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case f.stream%2 == 0:
		return ignored, &connectionError{codeProtocol, "a stream that clients don't open"}
	case c.broken: // what waits grows no more
		return ignored, os.ErrClosed
	case c.open[f.stream] != nil:
		return known, nil
	case c.wasCut(f.stream) || f.stream <= c.ignored && f.stream > c.last:
		if f.has(flagEndStream) {
			c.forgetCut(f.stream)
		}
		return ignored, nil
	case f.stream <= c.last:
		return ignored, &connectionError{codeStreamClosed, "HEADERS of a stream that is over"}
	case c.left:
		c.ignored = f.stream
		return ignored, nil
	}
	c.last, c.touched = f.stream, now
	if len(c.open) >= c.server.Streams {
		c.cutOff(f.stream, codeRefused, !f.has(flagEndStream))
		c.awaitRoom()
		return ignored, nil
	}
	return fresh, nil
}

// hit answers a request with what is stored, if it is a plain one.
func (c *Conn) hit(f frame, now time.Time) bool {
	if c.server.Hits == nil || !f.has(flagEndStream) || c.size > c.server.Header {
		return false
	}
	x := c.server.Hits.Find(c.fields, hitpath.Request{Protocol: "h2", Client: c.client, TLS: c.security, At: now})
	if x == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer(f.stream, x)
	c.awaitRoom()
	return true
}

// request has a handler answer.
func (c *Conn) request(f frame) error {
	if c.size > c.server.Header {
		return c.tooLarge(f)
	}
	ended := f.has(flagEndStream)
	r, err := message.NewRequest(2, c.fields)
	if err != nil || ended && r.ContentLength > 0 {
		return c.refuse(f.stream, codeProtocol, !ended)
	}
	r.TLS = c.requestState()
	r.RemoteAddr = c.remote
	c.mu.Lock()
	defer c.mu.Unlock()
	s := newStream(c, f.stream, r, ended)
	c.open[f.stream] = s
	return c.start(s)
}

// tooLarge answers a request whose header section is far above the limit.
func (c *Conn) tooLarge(f frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.output()
	o.octets = c.appendHeaders(o.octets, f.stream, flagEndStream, appendStatus([]byte{noTable}, http.StatusRequestHeaderFieldsTooLarge))
	if !f.has(flagEndStream) {
		c.cutOff(f.stream, codeNone, true)
	}
	c.awaitRoom()
	return nil
}

// trailers deals with the trailer section of a request.
func (c *Conn) trailers(f frame) error {
	t, err := message.ReadTrailers(c.fields)
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.open[f.stream]
	switch {
	case s == nil: // it ended meanwhile
	case s.clientEnd:
		c.reset(s, codeStreamClosed)
	case err != nil || !f.has(flagEndStream) || c.size > c.server.Header || !s.body.complete():
		c.reset(s, codeProtocol)
	default:
		s.body.trailers = t
		c.clientEnds(s)
	}
	return nil
}

// refuse resets a stream that may not be open, and on which the client may go on.
func (c *Conn) refuse(stream uint32, code errorCode, goesOn bool) error {
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
	if s := c.open[streamOf(payload)]; s != nil {
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
