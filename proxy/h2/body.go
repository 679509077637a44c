package h2

import (
	"errors"
	"io"
	"maps"
	"net/http"

	"github.com/anyedge/anyedge/proxy/h2/frame"
)

const (
	// uploadWindow is how much a client may send before it is read, on a stream and in all, in octets.
	uploadWindow = 1 << 20
	// creditStep is how much of that is given back at a time, in octets.
	creditStep = uploadWindow / 8
	// firstChunk is the size of the first buffer for a content, in octets, and chunk that of the others.
	firstChunk = 2 << 10
	chunk      = 16 << 10
)

// body is the content of a request. conn.mu guards its fields.
type body struct {
	stream   *stream
	request  *http.Request
	chunks   [][]byte // what has come and wasn't read
	size     int64    // of chunks
	declared int64    // by Content-Length; below 0: it doesn't say
	came     int64
	receive  int64 // what the client may send
	consumed int64 // what it may send anew, and wasn't told of
	trailers http.Header
	err      error // what reading ends with, behind what has come
}

// Read reads on. Trailers are in the request once it has returned io.EOF.
func (b *body) Read(p []byte) (int, error) {
	s := b.stream
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for b.size == 0 {
		if b.err != nil {
			return 0, b.over()
		}
		if err := s.wait(&s.readBy); err != nil {
			return 0, err
		}
	}
	n := b.take(p)
	c.credit(s, int64(n))
	c.write(false)
	return n, nil
}

// over returns what reading ended with, and fills in the trailers: those that were announced, in their place, and others.
func (b *body) over() error {
	if b.trailers != nil && errors.Is(b.err, io.EOF) {
		if b.request.Trailer == nil {
			b.request.Trailer = http.Header{}
		}
		maps.Copy(b.request.Trailer, b.trailers)
		b.trailers = nil
	}
	return b.err
}

// Close says that no more of the content is wanted: what comes is passed over.
func (b *body) Close() error {
	c := b.stream.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	b.stop(http.ErrBodyReadAfterClose)
	c.write(false)
	return nil
}

// take moves what has come to p.
func (b *body) take(p []byte) (n int) {
	for len(p) > n && len(b.chunks) > 0 {
		m := copy(p[n:], b.chunks[0])
		n += m
		if b.chunks[0] = b.chunks[0][m:]; len(b.chunks[0]) == 0 {
			b.chunks = append(b.chunks[:0], b.chunks[1:]...)
		}
	}
	b.size -= int64(n)
	return n
}

// put takes what has come. It tells whether that is no more than was declared.
func (b *body) put(p []byte) bool {
	b.came += int64(len(p))
	if b.declared >= 0 && b.came > b.declared {
		return false
	}
	if b.err != nil { // not wanted
		b.stream.conn.credit(nil, int64(len(p)))
		return true
	}
	b.size += int64(len(p))
	for len(p) > 0 {
		if len(b.chunks) == 0 || len(b.last()) == cap(b.last()) {
			b.grow(len(p))
		}
		last := b.last()
		n := min(len(p), cap(last)-len(last))
		b.chunks[len(b.chunks)-1] = append(last, p[:n]...)
		p = p[n:]
	}
	b.stream.changed.Broadcast()
	return true
}

func (b *body) last() []byte { return b.chunks[len(b.chunks)-1] }

// grow adds a buffer for n octets at least, up to a chunk.
func (b *body) grow(n int) {
	size := chunk
	if len(b.chunks) == 0 && n <= firstChunk {
		size = firstChunk
	}
	b.chunks = append(b.chunks, make([]byte, 0, size))
}

// complete tells whether as much has come as was declared.
func (b *body) complete() bool { return b.declared < 0 || b.came == b.declared }

// end is the end of the content.
func (b *body) end() {
	if b.err == nil {
		b.err = io.EOF
	}
	b.stream.changed.Broadcast()
}

// stop ends the reading, and gives back the room of what nobody reads.
func (b *body) stop(err error) {
	if b.err == nil || b.size > 0 {
		b.err = err
	}
	b.stream.conn.credit(nil, b.size)
	b.chunks, b.size = nil, 0
	b.stream.changed.Broadcast()
}

// data deals with DATA.
func (c *Conn) data(f frame.Head, payload []byte) error {
	content, ok := frame.Unpad(f, payload)
	if !ok {
		return &frame.Error{Code: frame.ProtocolError, What: "DATA with padding that is too long"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.receive -= int64(f.Length); c.receive < 0 {
		return &frame.Error{Code: frame.FlowControlError, What: "more than the window takes"}
	}
	s := c.open[f.Stream]
	if s == nil {
		return c.stray(f)
	}
	b := &s.body
	b.receive -= int64(f.Length)
	c.credit(s, int64(f.Length-len(content)))
	switch {
	case s.clientEnd:
		c.credit(nil, int64(len(content)))
		c.reset(s, frame.StreamClosed)
	case b.receive < 0:
		c.credit(nil, int64(len(content)))
		c.reset(s, frame.FlowControlError)
	case !b.put(content):
		c.credit(nil, int64(len(content)))
		c.reset(s, frame.ProtocolError)
	case f.Has(frame.EndStream) && !b.complete():
		c.reset(s, frame.ProtocolError) // which gives back the room of what was put
	case f.Has(frame.EndStream):
		c.clientEnds(s)
	}
	return nil
}

// stray deals with DATA on a stream that isn't open. c.mu is held.
func (c *Conn) stray(f frame.Head) error {
	switch {
	case c.isIdle(f.Stream):
		return &frame.Error{Code: frame.ProtocolError, What: "DATA on a stream that wasn't opened"}
	case !c.wasCut(f.Stream) && f.Stream <= c.last:
		return &frame.Error{Code: frame.StreamClosed, What: "DATA on a stream that is over"}
	}
	c.credit(nil, int64(f.Length))
	if f.Has(frame.EndStream) {
		c.forgetCut(f.Stream)
	}
	return nil
}

// credit lets the client send as much as was read, or passed over; on the stream too, if it isn't nil. c.mu is held.
func (c *Conn) credit(s *stream, n int64) {
	if c.consumed += n; c.consumed >= creditStep {
		o := c.output()
		o.octets = frame.AppendUpdate(o.octets, 0, c.consumed)
		c.receive += c.consumed
		c.consumed = 0
	}
	if s == nil || s.clientEnd || s.err != nil || s.ended {
		return
	}
	b := &s.body
	if b.consumed += n; b.consumed >= creditStep {
		o := c.output()
		o.octets = frame.AppendUpdate(o.octets, s.id, b.consumed)
		b.receive += b.consumed
		b.consumed = 0
	}
}
