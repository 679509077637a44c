package h1

import (
	"bufio"
	"errors"
	"net"
	"syscall"
	"time"
)

// errHeader is named as by net/http.
var errHeader = errors.New("server response headers exceeded the limit")

// conn is a connection. It belongs to one exchange at a time, or is idle.
type conn struct {
	net.Conn
	raw   syscall.RawConn // nil: it has none
	in    *bufio.Reader
	abort func()

	bounded bool  // a header section is being read
	room    int64 // for it, in octets
	begun   bool  // an octet has come since the request
	since   time.Time
}

func newConn(n net.Conn) *conn {
	c := &conn{Conn: n}
	if s, ok := n.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn() // nil where there is none
	}
	c.in = bufio.NewReader(c)
	c.abort = func() { _ = n.Close() }
	return c
}

// Read reads what the server sends; of a header section no more than there is room for.
func (c *conn) Read(p []byte) (int, error) {
	if !c.bounded {
		return c.Conn.Read(p)
	}
	if c.room <= 0 {
		return 0, errHeader
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.room)])
	c.room -= int64(n)
	c.begun = c.begun || n > 0
	return n, err
}
