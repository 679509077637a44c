package h2

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"
)

// result is the response whose header section has come. conn.mu is held.
func (s *stream) result() *http.Response {
	s.Body = (*body)(s)
	if s.ended && s.arrived.size == 0 && len(s.trailers) == 0 {
		s.stop()
		s.Body = http.NoBody
	}
	return &s.Response
}

// body is a stream as a response's content. One reader at a time; Close may be called meanwhile.
type body stream

// Buffered is how many octets can be read at once.
func (b *body) Buffered() int {
	b.conn.mu.Lock()
	defer b.conn.mu.Unlock()
	return b.arrived.size
}

// Read reads; the error is io.EOF, what the server has done, or the cause for which the request's context ended.
func (b *body) Read(p []byte) (int, error) {
	s := (*stream)(b)
	n := s.conn
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	s.await()
	if s.arrived.size > 0 {
		k := s.arrived.take(p)
		s.credit(int64(k))
		n.write(false)
		return k, nil
	}
	s.stop()
	if s.err != nil {
		return 0, s.err
	}
	if len(s.trailers) > 0 {
		if s.Trailer == nil {
			s.Trailer = http.Header{}
		}
		maps.Copy(s.Trailer, s.trailers)
	}
	return 0, io.EOF
}

// await waits until there is something to read, or it is over. conn.mu is held, but not meanwhile.
func (s *stream) await() {
	if s.arrived.size > 0 || s.ended || s.err != nil {
		return
	}
	if idle := s.conn.client.Idle; idle > 0 {
		s.limit = time.Now().Add(idle)
		s.conn.lookAt(s.limit)
	}
	for s.arrived.size == 0 && !s.ended && s.err == nil {
		s.changed.Wait()
	}
	s.limit = time.Time{}
}

// Close gives the rest of the content up.
func (b *body) Close() error {
	s := (*stream)(b)
	s.stop()
	n := s.conn
	n.mu.Lock()
	defer n.mu.Unlock()
	s.arrived.drop()
	if !s.ended && s.err == nil {
		s.giveUp(errClosed)
		n.write(false)
	}
	return nil
}

var errClosed = fmt.Errorf("the content was closed: %w", http.ErrBodyReadAfterClose)

// content is what has come and wasn't read yet.
type content struct {
	pieces []*piece
	room   [1]*piece // for the first, which mostly is the only one
	size   int       // in octets
}

// piece is a part of a content.
type piece struct {
	octets     [pieceSize]byte
	begin, end int
}

// pieceSize is the room of a piece, in octets: that of a frame.
const pieceSize = 16 << 10

var pieces = sync.Pool{New: func() any { return new(piece) }}

// put appends p.
func (c *content) put(p []byte) {
	c.size += len(p)
	for len(p) > 0 {
		last := len(c.pieces) - 1
		if last < 0 || c.pieces[last].end == pieceSize {
			if c.pieces == nil {
				c.pieces = c.room[:0]
			}
			fresh := pieces.Get().(*piece)
			fresh.begin, fresh.end = 0, 0
			c.pieces = append(c.pieces, fresh)
			last++
		}
		to := c.pieces[last]
		k := copy(to.octets[to.end:], p)
		to.end += k
		p = p[k:]
	}
}

// take moves what fits to p.
func (c *content) take(p []byte) (n int) {
	for n < len(p) && c.size > 0 {
		from := c.pieces[0]
		k := copy(p[n:], from.octets[from.begin:from.end])
		from.begin += k
		c.size -= k
		n += k
		if from.begin == from.end {
			c.pop()
		}
	}
	return n
}

// pop drops the first piece.
func (c *content) pop() {
	pieces.Put(c.pieces[0])
	copy(c.pieces, c.pieces[1:])
	c.pieces[len(c.pieces)-1] = nil
	c.pieces = c.pieces[:len(c.pieces)-1]
}

// drop drops everything.
func (c *content) drop() {
	for len(c.pieces) > 0 {
		c.pop()
	}
	c.size = 0
}
