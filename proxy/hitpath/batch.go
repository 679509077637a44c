package hitpath

import (
	"math"
	"net/http"
	"time"

	"github.com/anyedge/anyedge/cache"
)

const (
	// maxBatch is how many answers leave together at most, and maxOut how many octets are copied for that: four of the
	// largest TLS records.
	maxBatch = 32
	maxOut   = 64 << 10
	// maxCopied is the largest content that is copied behind its head, in octets: copying costs less than a record of its own.
	maxCopied = 16 << 10
	// keptOut is how large a buffer may be that is kept for other connections, in octets: one of a full batch.
	keptOut = maxOut + maxCopied + 4<<10
	// scratch has room for most cache keys, in octets.
	scratch = 256
)

// batch are the answers that one write carries. It belongs to one connection for the length of one read.
type batch struct {
	out    []byte
	fields []Field
	served []exchange
}

type exchange struct {
	request Request
	answer  Answer
}

// answer answers the plain hits at the beginning of s. next is the form of what is behind the used octets. Where a request
// follows that is the handler's, t is that, and used counts it in.
func (b *batch) answer(c *Conn, s string) (used int, next form, t *turn, err error) {
	now := time.Now()
	for used < len(s) {
		x, n, f := b.next(c, s[used:], now)
		if f == plain && (c.leaving.Load() || !c.server.Finder.Find(&x.request, &x.answer)) {
			f = strict
		}
		if f == strict {
			f = odd
			if t = c.turnOf(&x.request, s[used:used+n], len(s)); t != nil {
				used, f = used+n, partial
			}
		}
		if f != plain {
			b.drop()
			return used, f, t, b.flush(&c.sender)
		}
		used += n
		if err := b.write(c, x); err != nil {
			return used, odd, nil, err
		}
	}
	return used, partial, nil, b.flush(&c.sender)
}

// next reads the head at the beginning of s into a place of its own.
func (b *batch) next(c *Conn, s string, now time.Time) (x *exchange, n int, f form) {
	x = b.add(Request{VIP: c.server.VIP, Protocol: "h1", Client: c.client, TLS: c.tls, At: now, Room: math.MaxInt64})
	n, f = x.request.parse(s, b.fields[len(b.fields):])
	if f == plain && x.request.size() > c.server.Header {
		f = strict
	}
	b.fields = append(b.fields, x.request.Fields...) // where they are already, as long as there is room
	return x, n, f
}

// add makes a place for one more exchange.
func (b *batch) add(r Request) *exchange {
	if len(b.served) < cap(b.served) {
		b.served = b.served[:len(b.served)+1]
	} else {
		b.served = append(b.served, exchange{})
	}
	x := &b.served[len(b.served)-1]
	if x.answer.Scratch == nil {
		x.answer.Scratch = make([]byte, 0, scratch)
	}
	x.request, x.answer = r, Answer{Status: x.answer.Status[:0], Scratch: x.answer.Scratch}
	return x
}

// drop takes the last place back.
func (b *batch) drop() { b.served = b.served[:len(b.served)-1] }

// write puts an answer behind those that wait, and sends them when they are enough.
func (b *batch) write(c *Conn, x *exchange) error {
	b.out = x.answer.appendHead(b.out, c.server.moreFields())
	content := x.answer.Found.Answer.Content().(cache.Pieces) // as Find promises
	switch {
	case x.request.Method == http.MethodHead:
	case content.Size() > maxCopied:
		return b.writeLarge(&c.sender, content)
	default:
		for _, piece := range content {
			b.out = append(b.out, piece...)
		}
	}
	if len(b.served) == maxBatch || len(b.out) >= maxOut {
		return b.flush(&c.sender)
	}
	return nil
}

// writeLarge sends what waits, and then a content from where it is stored.
func (b *batch) writeLarge(c *sender, content cache.Pieces) error {
	c.wire.Hold()
	last := &b.served[len(b.served)-1].answer
	err := c.send(b.out)
	for _, piece := range content {
		for len(piece) > 0 && err == nil {
			part := piece[:min(len(piece), maxOut)]
			if err = c.send(part); err == nil {
				last.Sent += int64(len(part))
			}
			piece = piece[len(part):]
		}
	}
	if released := c.wire.Release(); err == nil {
		err = released
	}
	b.account(c, err)
	return err
}

// flush sends what waits.
func (b *batch) flush(c *sender) error {
	if len(b.served) == 0 {
		return nil
	}
	c.arm(time.Now())
	err := c.sendTogether(b.out, nil)
	b.account(c, err)
	return err
}

// account closes the accounts of what was sent.
func (b *batch) account(c *sender, err error) {
	stalled := err != nil && c.stalled()
	for i := range b.served {
		x := &b.served[i]
		x.answer.Whole, x.answer.Stalled = err == nil, stalled && i == len(b.served)-1
		if err == nil && x.request.Method != http.MethodHead {
			x.answer.Sent = x.answer.Found.Answer.Length()
		}
		x.answer.Account.Served(&x.request, &x.answer)
	}
	b.clear()
}

func (b *batch) clear() {
	for i := range b.served {
		x := &b.served[i]
		*x = exchange{answer: Answer{Status: x.answer.Status, Scratch: x.answer.Scratch}} // nothing else is kept alive
	}
	clear(b.fields)
	b.out, b.fields, b.served = b.out[:0], b.fields[:0], b.served[:0]
}

// reset makes the batch ready for another connection.
func (b *batch) reset() {
	b.clear()
	if cap(b.out) > keptOut {
		b.out = nil
	}
}
