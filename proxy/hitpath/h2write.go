package hitpath

import (
	"encoding/binary"
	"net/http"
	"slices"

	"github.com/anyedge/anyedge/cache"
)

// answer puts the answer of the last exchange behind those that wait, and sends them when they are enough.
func (c *H2Conn) answer(b *batch, stream uint32) error {
	x := &b.served[len(b.served)-1]
	content := x.answer.Found.Answer.Content().(cache.Pieces) // as Find promises
	left := content.Size()
	if x.request.Method == http.MethodHead {
		content, left = nil, 0
	}
	flags := uint8(0)
	if left == 0 {
		flags = flagEndStream
	}
	b.text = x.answer.appendBlock(b.text[:0], c.server.moreFields())
	b.out = appendHeaders(b.out, stream, flags, b.text)
	c.credit -= left
	c.used = true
	for _, piece := range content {
		for len(piece) > 0 {
			part := piece[:min(len(piece), maxFrame)]
			piece = piece[len(part):]
			left -= int64(len(part))
			if left == 0 {
				flags = flagEndStream
			}
			b.out = appendFrame(b.out, frame{len(part), frameData, flags, stream})
			b.out = append(b.out, part...)
			if err := c.spill(b); err != nil {
				return err
			}
		}
	}
	if len(b.served) == maxBatch {
		return c.flush(b)
	}
	return nil
}

// spill sends what waits if that is much. The accounts stay open.
func (c *H2Conn) spill(b *batch) error {
	if len(b.out) < maxOut {
		return nil
	}
	err := c.sendAll(b.out)
	b.out = b.out[:0]
	if err != nil {
		b.account(&c.sender, err)
		_ = c.Close()
	}
	return err
}

// flush sends what waits, and closes the accounts.
func (c *H2Conn) flush(b *batch) error {
	if len(b.served) == 0 && len(b.out) == 0 {
		return nil
	}
	err := c.sendAll(b.out)
	b.account(&c.sender, err)
	if err != nil {
		_ = c.Close()
	}
	return err
}

// sendAll sends frames that are whole.
func (c *H2Conn) sendAll(p []byte) error {
	if err := c.lock(); err != nil {
		return err
	}
	defer c.mu.Unlock()
	c.wire.Hold()
	err := c.send(p)
	if released := c.wire.Release(); err == nil {
		err = released
	}
	return err
}

// outgoing is how far the server is in writing its frames. It writes them in pieces that end anywhere.
type outgoing struct {
	begun []byte // of a frame's head, what isn't whole
	left  int    // octets of a frame whose head was written
	block bool   // a header block isn't over: RFC 9113 §4.3 lets no other frame come between
}

// goAwayHead is how much of GOAWAY is looked at: its head, and the highest stream.
const goAwayHead = frameHead + 4

// Write is the server's.
func (c *H2Conn) Write(p []byte) (int, error) {
	o, all := &c.out, len(p)
	if len(o.begun) > 0 {
		p = slices.Concat(o.begun, p)
		o.begun = nil
	}
	done := 0
	for done < len(p) {
		if o.left > 0 {
			n := min(o.left, len(p)-done)
			o.left -= n
			done += n
			continue
		}
		if len(p)-done < frameHead {
			break
		}
		f := readFrame(p[done:])
		if f.kind == frameGoAway {
			if len(p)-done < goAwayHead {
				break
			}
			p = c.leave(p, done)
		}
		c.observe(f)
		o.left = frameHead + f.length
	}
	o.begun = append(o.begun, p[done:]...)
	if err := c.pour(p[:done]); err != nil {
		return 0, err
	}
	return all, nil
}

// pour writes what the server has written, and lets others write where a frame has ended.
func (c *H2Conn) pour(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if !c.held.CompareAndSwap(true, false) {
		if err := c.lock(); err != nil {
			return err
		}
	}
	err := c.send(p)
	if err == nil && (c.out.left > 0 || c.out.block) {
		c.held.Store(true)
		if !c.dead.Load() || !c.held.CompareAndSwap(true, false) { // else Close may have come before
			return nil
		}
	}
	c.begin()
	c.mu.Unlock()
	return err
}

// observe takes note of a frame that the server sends.
func (c *H2Conn) observe(f frame) {
	switch f.kind {
	case frameData:
		c.rest.Add(-int64(f.length))
	case frameHeaders, frameContinuation:
		c.out.block = !f.has(flagEndHeaders)
	case frameReset:
		c.ended(f.stream, bothEnds)
	}
	if f.has(flagEndStream) && (f.kind == frameData || f.kind == frameHeaders) {
		c.ended(f.stream, serverEnd)
	}
}

// leave names the highest stream in the server's GOAWAY, which begins at p[at:]: some above those that it knows may have
// been answered here. From now on nothing is.
func (c *H2Conn) leave(p []byte, at int) []byte {
	c.left.Store(true)
	p = slices.Clone(p)
	last := p[at+frameHead:]
	binary.BigEndian.PutUint32(last, max(binary.BigEndian.Uint32(last), c.last.Load()))
	return p
}
