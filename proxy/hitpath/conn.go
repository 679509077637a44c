package hitpath

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// Conn is an H1 connection. One goroutine calls Serve, once; Leave may be called meanwhile.
type Conn struct {
	sender
	server *Server
	client netip.Addr
	tls    Security
	peer   *peer // nil before the first request of a handler's

	turn    atomic.Pointer[turn] // that the handler is at; nil: none
	unwatch func() bool          // of the end of the server's context; nil: there was no turn yet

	in      inbox
	reading deadline
	waited  time.Time // since when, for the next request
	rests   bool      // see Rests

	phase   atomic.Int32 // see below
	used    atomic.Bool  // a request has begun
	leaving atomic.Bool  // what is answered next is the last
}

// The phases:
//
//	waiting ◀──▶ answering
//	   └──▶ closed, by Leave
const (
	waiting int32 = iota
	answering
	closed
)

// newGrace is how long a connection that has just been made is given for its first request while the listener ends.
const newGrace = 5 * time.Second

// Serve answers requests until the connection ends or rests, and returns nil, or until one comes that is net/http's. Then it
// returns the connection for net/http to serve, which gets all that has come from there on.
func (c *Conn) Serve() net.Conn {
	given := false
	c.rests = false
	defer func() {
		if c.rests {
			return
		}
		if c.unwatch != nil {
			c.unwatch()
		}
		if !given { // a handler may have ended the goroutine
			_ = c.Close()
		}
	}()
	for c.await() {
		next, err := c.answer()
		if err != nil {
			return nil
		}
		if given = next == odd; given {
			return c.give()
		}
	}
	return nil
}

// Rests tells, when Serve has returned nil, whether that was for Server.RestAfter.
func (c *Conn) Rests() bool { return c.rests }

// Leave is for the end of the listener. A connection that waits is closed, one that is answering will be after that, and
// tells the client.
func (c *Conn) Leave() {
	c.leaving.Store(true)
	switch {
	case !c.used.Load():
		_ = c.SetReadDeadline(time.Now().Add(newGrace))
	case c.phase.CompareAndSwap(waiting, closed):
		_ = c.Close()
	}
}

// await waits for a request to begin. It returns false when the connection is over, or rests.
func (c *Conn) await() bool {
	if c.reading != ofRest { // that one goes on where it was
		c.armRead(false)
	}
	c.phase.Store(waiting)
	if c.leaving.Load() {
		if c.used.Load() {
			return false
		}
		_ = c.SetReadDeadline(time.Now().Add(newGrace))
	}
	n, err := c.Read(c.in.space(c.server))
	for n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.waitOn() {
		n, err = c.Read(c.in.space(c.server))
	}
	if n == 0 && err != nil || !c.phase.CompareAndSwap(waiting, answering) {
		return false // an end that came together with octets comes again
	}
	if c.in.have = n; c.reading == ofRest {
		c.reading = unset
	}
	if !c.used.Load() {
		c.used.Store(true)
	}
	return true
}

// answer answers what has come, and reads on until no request is left incomplete. With odd, what has come is net/http's.
func (c *Conn) answer() (next form, err error) {
	for c.in.have > 0 {
		switch next, err = c.answerSome(); {
		case err != nil || next == odd:
			return next, err
		case next == partial && c.in.have > 0:
			if next, err = c.readOn(); err != nil || next == odd {
				return next, err
			}
		}
	}
	return partial, nil
}

// readOn reads more of a head.
func (c *Conn) readOn() (form, error) {
	space := c.in.space(c.server)
	if len(space) == 0 {
		return odd, nil
	}
	c.armRead(true)
	n, err := c.Read(space)
	c.in.have += n
	if n > 0 {
		return partial, nil // an end that came together with octets comes again
	}
	return partial, err // of a head that doesn't come to its end, net/http would make a 400
}

// answerSome answers the plain hits at the beginning of what has come, and then one request that isn't a hit. next is the
// form of what is left, as far as that is known.
func (c *Conn) answerSome() (next form, err error) {
	b := c.server.batch()
	used, next, t, err := b.answer(c, string(c.in.octets()))
	c.server.release(b)
	c.in.drop(c.server, used)
	if used > 0 && c.reading == ofHead {
		c.reading = unset // the next head has a time of its own
	}
	switch {
	case t != nil && err != nil:
		t.End()
		return next, err
	case t != nil:
		return plain, t.serve(c)
	case err != nil:
		return next, err
	case used > 0 && c.leaving.Load():
		return next, io.EOF // those answers didn't tell
	}
	return next, nil
}

// give leaves the connection to net/http, with what has come.
func (c *Conn) give() net.Conn {
	g := &given{Conn: c.Conn, ahead: append([]byte(nil), c.in.octets()...)}
	c.in.drop(c.server, c.in.have)
	_ = c.SetWriteDeadline(time.Time{}) // net/http and admission have deadlines of their own
	if c.reading != ofHead {
		_ = c.SetReadDeadline(time.Now().Add(c.server.HeaderTimeout)) // the head may be incomplete
	}
	return g
}

// given is a connection that net/http has for good.
type given struct {
	*tls.Conn
	ahead []byte // what had come before
}

// Read returns what had come, and then what comes.
func (g *given) Read(p []byte) (int, error) {
	if len(g.ahead) == 0 {
		return g.Conn.Read(p)
	}
	n := copy(p, g.ahead)
	if g.ahead = g.ahead[n:]; len(g.ahead) == 0 {
		g.ahead = nil
	}
	return n, nil
}

// deadline is what the deadline for reading is for.
type deadline uint8

const (
	unset  deadline = iota
	ofHead          // that has begun, or is the first
	ofWait          // of which there may have been several since it was set, see waitOn
	ofRest
)

// armRead sets the time for the rest of a head that has begun, or for the next one to begin.
func (c *Conn) armRead(begun bool) {
	if begun && c.reading == ofHead {
		return
	}
	now := time.Now()
	switch {
	case begun || !c.used.Load():
		c.reading = ofHead
		_ = c.SetReadDeadline(now.Add(c.server.HeaderTimeout))
	default:
		if c.waited = now; c.reading != ofWait {
			c.armWait(now, c.server.IdleTimeout)
		}
	}
}

// armWait sets the time until waitOn looks again at a connection that may wait for so long.
func (c *Conn) armWait(now time.Time, most time.Duration) {
	if rest := c.server.RestAfter; rest > 0 {
		most = min(most, rest)
	}
	c.reading = ofWait
	_ = c.SetReadDeadline(now.Add(most))
}

// waitOn looks at a wait whose deadline has passed, which was set for an earlier one as a rule: to set it for each costs more
// than to look when it has passed. It returns false where the connection is over, or rests.
func (c *Conn) waitOn() bool {
	if c.reading == ofHead {
		return false
	}
	now, rest := time.Now(), c.server.RestAfter
	waited := now.Sub(c.waited)
	left := c.server.IdleTimeout - waited
	switch {
	case left <= 0:
		return false
	case c.reading == ofWait && rest > 0 && waited >= rest:
		c.rests, c.reading = true, ofRest
		_ = c.SetReadDeadline(now.Add(left))
		return false
	}
	c.armWait(now, left)
	return true
}
