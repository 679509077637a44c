package listener

import (
	"sync"
	"time"
)

// saidByTLS is how long a record is at most that TLS writes of its own accord, in octets: an alert, or the KeyUpdate with
// which a client's is answered (RFC 8446, sections 6 and 4.6.3), has 27.
const saidByTLS = 32

// pace gives what TLS writes of its own accord a time to be taken. It does so while it reads, when nobody has looked after
// the deadline: that of the last answer may have passed, which would end a connection that was merely idle, or there may be
// none, with which a client that takes nothing would be waited for without end.
type pace struct {
	idle time.Duration // admission.Options.SendIdle; 0: nothing is done

	mu    sync.Mutex // guards the following fields, and the socket's deadline
	by    time.Time  // the deadline; zero: none
	past  bool       // it had passed when it was set, to end writes
	taken bool       // whoever has taken the connection over sets its deadlines
}

// SetWriteDeadline sets the time for what is written until the next one is set.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.pace.mu.Lock()
	defer c.pace.mu.Unlock()
	c.pace.by, c.pace.past = t, !t.IsZero() && !t.After(time.Now())
	return c.TCPConn.SetWriteDeadline(t)
}

// SetDeadline sets both deadlines. Without one nothing is paced any more: so net/http leaves connections to who takes them
// over (http.Hijacker), and a tunnel may rest.
func (c *conn) SetDeadline(t time.Time) error {
	c.pace.mu.Lock()
	c.pace.taken = t.IsZero()
	c.pace.mu.Unlock()
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// writePaced writes b, with a time of its own where it needs one.
func (c *conn) writePaced(b []byte) (int, error) {
	p := &c.pace
	if len(b) > saidByTLS || p.idle == 0 {
		return c.TCPConn.Write(b)
	}
	by, lent := c.lend(time.Now())
	if lent {
		defer c.take(by)
	}
	return c.TCPConn.Write(b)
}

// lend sets a deadline for a write that begins now, unless it has one.
func (c *conn) lend(now time.Time) (by time.Time, lent bool) {
	p := &c.pace
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken || p.past || now.Before(p.by) {
		return p.by, false
	}
	p.by = now.Add(p.idle)
	_ = c.TCPConn.SetWriteDeadline(p.by)
	return p.by, true
}

// take takes a deadline back, unless another was set since: others are written without.
func (c *conn) take(by time.Time) {
	p := &c.pace
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by.Equal(by) {
		p.by = time.Time{}
		_ = c.TCPConn.SetWriteDeadline(p.by)
	}
}
