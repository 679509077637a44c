package h2

import (
	"slices"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/proxy/h2/frame"
	"github.com/anyedge/anyedge/proxy/hitpath"
)

// maxAtOnce is the largest content whose frames are made where the request is read, in octets. Those of a larger one are
// made as they are written.
const maxAtOnce = 32 << 10

// stored is a content that is sent from where it is stored.
type stored struct {
	exchange *hitpath.Exchange
	rest     cache.Pieces // not sent yet; its first piece isn't empty
	left     int64
	sent     int64
	moved    time.Time // when a part was sent
	queued   bool      // in sends
}

// answer appends an answer from what is stored, or its beginning. c.mu is held.
func (c *Conn) answer(id uint32, x *hitpath.Exchange) {
	content := x.Content()
	size := content.Size()
	o := c.output()
	flags := uint8(0)
	if size == 0 {
		flags = frame.EndStream
	}
	o.octets = c.appendAnswer(o.octets, id, flags, x)
	if size > min(maxAtOnce, c.window, c.initial) && size > 0 {
		c.store(id, x, content, size)
		return
	}
	o.owed = append(o.owed, x)
	c.window -= size
	for _, piece := range content {
		for len(piece) > 0 {
			part := piece[:min(len(piece), frame.MaxPayload)]
			piece = piece[len(part):]
			if size -= int64(len(part)); size == 0 {
				flags = frame.EndStream
			}
			o.octets = frame.Append(o.octets, frame.Head{Length: len(part), Kind: frame.Data, Flags: flags, Stream: id})
			o.octets = append(o.octets, part...)
		}
	}
}

// appendAnswer appends HEADERS of a stored answer. c.mu is held.
func (c *Conn) appendAnswer(dst []byte, id uint32, flags uint8, x *hitpath.Exchange) []byte {
	start := len(dst)
	return frame.CloseHeaders(appendAnswer(c.openHeaders(dst), x), start, id, flags)
}

// store opens a stream whose content is sent as the windows allow. c.mu is held.
func (c *Conn) store(id uint32, x *hitpath.Exchange, content cache.Pieces, size int64) {
	s := &stream{
		conn: c, id: id, window: c.initial, clientEnd: true, urgency: priorityOf(x),
		stored: &stored{exchange: x, rest: append(cache.Pieces(nil), content...), left: size, moved: time.Now()},
	}
	c.open[id] = s
	c.queueStored(s)
	if c.patience == nil {
		c.patience = time.AfterFunc(c.server.SendIdle, c.loseIdle)
	}
}

// queueStored gives a stream its turn, if its window is open. c.mu is held.
func (c *Conn) queueStored(s *stream) {
	if s.window > 0 && !s.stored.queued {
		s.stored.queued = true
		c.sends.push(s)
	}
}

// fill appends frames of stored contents to o, of each stream in turn. c.mu is held.
func (c *Conn) fill(o *output) {
	var now time.Time
	for c.window > 0 && len(o.octets) < maxOut-frame.HeadSize {
		s := c.sends.pop()
		if s == nil {
			return
		}
		if now.IsZero() {
			now = time.Now()
		}
		s.stored.queued = false
		if s.err != nil || s.window <= 0 {
			continue
		}
		c.fillFrom(o, s)
		s.stored.moved = now
	}
}

// fillFrom appends a frame of one stream's content. c.mu is held.
func (c *Conn) fillFrom(o *output, s *stream) {
	t := s.stored
	n := min(t.left, s.window, c.window, frame.MaxPayload, int64(maxOut-frame.HeadSize-len(o.octets)))
	t.left -= n
	s.window -= n
	c.window -= n
	flags := uint8(0)
	if t.left == 0 {
		flags = frame.EndStream
	}
	o.octets = frame.Append(o.octets, frame.Head{Length: int(n), Kind: frame.Data, Flags: flags, Stream: s.id})
	for t.sent += n; n > 0; {
		part := t.rest[0]
		if int64(len(part)) > n {
			part = part[:n]
		}
		o.octets = append(o.octets, part...)
		n -= int64(len(part))
		if t.rest[0] = t.rest[0][len(part):]; len(t.rest[0]) == 0 {
			t.rest = t.rest[1:]
		}
	}
	if t.left > 0 {
		c.queueStored(s)
		return
	}
	o.owed = append(o.owed, t.exchange)
	t.exchange = nil
	c.closed(s)
}

// cancel accounts for a content that isn't sent to its end.
func (t *stored) cancel(stalled bool) {
	if t.exchange == nil {
		return
	}
	a := t.exchange.Answer()
	a.Sent, a.Whole, a.Stalled = t.sent, false, stalled
	t.exchange.Account()
	t.exchange, t.rest = nil, nil
}

// loseIdle ends streams whose clients give them no window for too long.
func (c *Conn) loseIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	now, next := time.Now(), time.Duration(0)
	for _, s := range c.open {
		if s.stored == nil {
			continue
		}
		left := c.server.SendIdle - now.Sub(c.waitsSince(s.stored))
		if left <= 0 && (!s.stored.queued || c.window <= 0) {
			s.stored.cancel(true)
			c.reset(s, frame.Cancel)
			continue
		}
		if left = max(left, c.server.SendIdle/rearm); next == 0 || left < next {
			next = left
		}
	}
	c.writeBeside()
	c.endIfDone()
	if next == 0 {
		c.patience = nil
		return
	}
	c.patience.Reset(next)
}

// waitsSince tells since when the client has let nothing of t be sent. Where it is another stream's turn that isn't the
// client's doing. c.mu is held.
func (c *Conn) waitsSince(t *stored) time.Time {
	if t.queued && c.widened.After(t.moved) {
		return c.widened
	}
	return t.moved
}

// sends are streams with stored contents, in the order of their turns, by urgency: RFC 9218, section 10.
type sends [8][]*stream

func (q *sends) any() bool {
	for i := range q {
		if len(q[i]) > 0 {
			return true
		}
	}
	return false
}

func (q *sends) push(s *stream) { q[s.urgency] = append(q[s.urgency], s) }

// pop returns the stream whose turn it is; nil: there is none.
func (q *sends) pop() *stream {
	for i := range q {
		if len(q[i]) > 0 {
			s := q[i][0]
			q[i] = slices.Delete(q[i], 0, 1)
			return s
		}
	}
	return nil
}
