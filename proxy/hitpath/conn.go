package hitpath

import (
	"cmp"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// Conn is an H1 connection that net/http serves, and that answers what it can itself while net/http waits for a request.
// Its State must be the server's ConnState.
type Conn struct {
	sender
	server *Server
	client netip.Addr
	tls    Security

	// The following are touched by whoever reads, one at a time, and by State, when nobody does.
	looping   bool   // net/http waits for a request, and holds no octet
	lent      bool   // net/http has one request without content, and gets nothing more until it has answered
	rest      []byte // what came behind that
	heading   bool   // the deadline for reading is that of a head
	readArmed time.Time

	patience patience     // of who watches the client meanwhile
	phase    atomic.Int32 // see below
	fresh    atomic.Bool  // answered requests of which net/http knows nothing, since it has had none
	leaving  atomic.Bool  // net/http answers what is still to come, and says that it is the last
}

// The phases. Close waits for the end of an answer.
//
//	waiting ◀──▶ answering ──▶ closing
const (
	waiting int32 = iota
	answering
	closing
)

// Read answers plain hits, and returns octets once there are some for net/http.
func (c *Conn) Read(p []byte) (int, error) {
	switch {
	case c.looping:
		return c.loop(p)
	case c.lent:
		return 0, c.watch()
	case len(c.rest) > 0:
		return c.take(p), nil
	}
	return c.Conn.Read(p)
}

// take moves what is kept to p.
func (c *Conn) take(p []byte) int {
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	if len(c.rest) == 0 {
		c.rest = nil
	}
	return n
}

// watch waits until the client goes, which its error tells, or until net/http has waited enough. It has no octet for
// net/http: one that comes is kept for the loop.
func (c *Conn) watch() error {
	if len(c.rest) == 0 {
		var b [1]byte
		n, err := c.Conn.Read(b[:])
		if n == 0 {
			return err
		}
		c.rest = append(c.rest, b[0])
	}
	return c.patience.wait()
}

// SetReadDeadline sets the time for reading. One that has passed ends a Read at once.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.patience.set(t)
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline sets the time for reading and writing.
func (c *Conn) SetDeadline(t time.Time) error {
	c.patience.set(t)
	return c.Conn.SetDeadline(t)
}

// State is told what net/http makes of the connection.
func (c *Conn) State(s http.ConnState) {
	switch s {
	case http.StateIdle:
		if c.lent {
			c.looping, c.lent, c.heading = true, false, false
			c.readArmed, c.armed = time.Time{}, time.Time{} // net/http has moved the deadlines
		}
	case http.StateHijacked:
		c.lent = false
	}
}

// Leave is for the end of the listener, after net/http has been told of it. It closes a connection that net/http takes for
// one that was never used, and would wait for; one that is answering closes after that.
func (c *Conn) Leave() {
	c.leaving.Store(true)
	if c.fresh.Load() {
		_ = c.Close()
	}
}

// Close closes the connection, after the answer under way.
func (c *Conn) Close() error {
	c.patience.end()
	if c.phase.CompareAndSwap(answering, closing) {
		return nil // the loop closes
	}
	return c.Conn.Close()
}

// loop reads into p, which net/http has emptied, and answers from there.
func (c *Conn) loop(p []byte) (int, error) {
	have := c.take(p)
	for {
		if have > 0 {
			left, head, next, err := c.answer(p, have)
			switch have = left; {
			case err != nil:
				return c.give(0), err
			case next == strict:
				return c.lend(p[:have], head), nil
			case next == odd || have == len(p):
				return c.give(have), nil
			}
			c.armRead(have > 0)
		}
		n, err := c.Conn.Read(p[have:])
		have += n
		if err != nil {
			return c.give(0), err // of a head that doesn't come to its end, net/http would make a 400
		}
	}
}

// give leaves the connection to net/http for good, with n octets.
func (c *Conn) give(n int) int {
	if n > 0 && !c.heading {
		_ = c.Conn.SetReadDeadline(time.Now().Add(c.server.HeaderTimeout)) // the head may be incomplete
	}
	c.part()
	return n
}

// lend leaves one request to net/http, with a head of n octets, and keeps what came behind it in p.
func (c *Conn) lend(p []byte, n int) int {
	c.rest = slices.Concat(p[n:], c.rest)
	c.part()
	c.lent = true
	return n
}

// part ends the loop. net/http and admission have deadlines of their own.
func (c *Conn) part() {
	c.looping = false
	c.fresh.Store(false)
	_ = c.SetWriteDeadline(time.Time{})
}

// answer answers the plain hits at the beginning of p, of which so many octets have come, and moves what is left there.
// next is the form of that, and head the length of its head if that is strict.
func (c *Conn) answer(p []byte, have int) (left, head int, next form, err error) {
	if !c.phase.CompareAndSwap(waiting, answering) {
		return 0, 0, odd, net.ErrClosed
	}
	b := c.server.batch()
	used, head, next, err := b.answer(c, string(p[:have]))
	c.server.release(b)
	if used > 0 {
		c.fresh.Store(true)
	}
	if !c.phase.CompareAndSwap(answering, waiting) || used > 0 && c.leaving.Load() { // closed meanwhile
		err = cmp.Or(err, io.EOF)
	}
	if err != nil {
		_ = c.Conn.Close()
	}
	return copy(p, p[used:have]), head, next, err
}

// armRead sets the time for the rest of a head that has begun, or for the next one to begin.
func (c *Conn) armRead(begun bool) {
	if begun && c.heading {
		return
	}
	now := time.Now()
	switch {
	case begun:
		c.heading = true
		_ = c.Conn.SetReadDeadline(now.Add(c.server.HeaderTimeout))
	case c.heading || now.Sub(c.readArmed) >= c.server.IdleTimeout/rearm:
		c.heading, c.readArmed = false, now
		_ = c.Conn.SetReadDeadline(now.Add(c.server.IdleTimeout))
	}
}
