package h1

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// errHeader is named as by net/http.
var errHeader = errors.New("server response headers exceeded the limit")

// conn is a connection. It belongs to one exchange at a time, or is idle.
type conn struct {
	net.Conn
	secure *tls.Conn       // over it; nil: what is sent is sent as it is
	wire   *wire           // below secure
	raw    syscall.RawConn // nil: it has none
	in     *bufio.Reader   // nil while it is idle
	abort  func()
	asking asking

	idle    time.Duration // how long the server may send nothing of a content; 0: for ever
	limit   time.Time     // when what is written and read now must be over; zero: never
	armed   time.Time     // the connection's own deadline: not after limit, or long before it; zero: it has none
	bounded bool          // a header section is being read
	room    int64         // for it, in octets
	begun   bool          // an octet has come since the request
	used    bool          // it has been idle
	since   time.Time
}

// readSize holds most header sections, and a small content behind one, in octets.
const readSize = 16 << 10

// readers are of connections that aren't idle.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readSize) }}

func newConn(n net.Conn, idle time.Duration) *conn {
	c := &conn{Conn: n, idle: idle}
	if s, ok := n.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn() // nil where there is none
	}
	c.abort = func() { _ = n.Close() }
	return c
}

// begin and rest take and give back what an exchange needs. Nobody may read meanwhile.
func (c *conn) begin() {
	c.in, c.begun = readers.Get().(*bufio.Reader), false
	c.in.Reset(c)
}

func (c *conn) rest() {
	c.in.Reset(nil)
	readers.Put(c.in)
	c.in = nil
}

// Read reads what the server sends; of a header section no more than there is room for.
func (c *conn) Read(p []byte) (int, error) {
	if !c.bounded {
		c.awaitContent()
		return c.read(p)
	}
	if c.room <= 0 {
		return 0, errHeader
	}
	n, err := c.read(p[:min(int64(len(p)), c.room)])
	c.room -= int64(n)
	c.begun = c.begun || n > 0
	return n, err
}

func (c *conn) read(p []byte) (int, error) {
	if c.secure != nil {
		return c.secure.Read(p)
	}
	return c.readWire(p)
}

func (c *conn) readWire(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err == nil || n > 0 || !c.early(err) {
			return n, err
		}
	}
}

// Write writes all of p.
func (c *conn) Write(p []byte) (n int, err error) {
	if c.secure != nil {
		return c.secure.Write(p)
	}
	return c.writeWire(p)
}

func (c *conn) writeWire(p []byte) (n int, err error) {
	for {
		m, err := c.Conn.Write(p[n:])
		n += m
		if err == nil || !c.early(err) {
			return n, err
		}
	}
}

func (c *conn) awaitContent() {
	if c.idle <= 0 {
		c.limit = time.Time{}
		return
	}
	now := time.Now()
	c.await(now, now.Add(c.idle))
}

// await bounds the time for what comes next. The connection's own deadline stays as long as it isn't too late: to move it
// costs more than to find out, one time in many, that it came early.
func (c *conn) await(now, limit time.Time) {
	c.limit = limit
	if !c.armed.After(now) || c.armed.After(limit) {
		c.arm()
	}
}

func (c *conn) arm() {
	c.armed = c.limit
	_ = c.SetDeadline(c.limit)
}

// early tells whether an error is that of a deadline before its time, which is then moved.
func (c *conn) early(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || !c.limit.IsZero() && !time.Now().Before(c.limit) {
		return false
	}
	c.arm()
	return true
}
