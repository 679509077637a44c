package h1

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
)

// errStale is an idle connection on which something has come, its end mostly.
var errStale = fmt.Errorf("the server closed the connection: %w", io.EOF)

// wire is a connection below TLS. What comes too early of a deadline ends here: TLS doesn't recover from a write that failed.
type wire struct {
	net.Conn
	conn    *conn
	mute    bool        // nothing is read: what TLS has by itself is wanted
	closing atomic.Bool // the last words are written, maybe by another goroutine than the exchange's
}

// Read reads what the server sends; while it is mute that is nothing, by an error that TLS takes for a passing one.
func (w *wire) Read(p []byte) (int, error) {
	if w.mute {
		return 0, os.ErrDeadlineExceeded
	}
	return w.conn.readWire(p)
}

// Write writes all of p.
func (w *wire) Write(p []byte) (int, error) {
	if w.closing.Load() {
		return w.Conn.Write(p)
	}
	return w.conn.writeWire(p)
}

// shake has TLS over the connection.
func (c *conn) shake(ctx context.Context, o *Client) error {
	c.wire = &wire{Conn: c.Conn, conn: c}
	c.secure = tls.Client(c.wire, o.TLS)
	ctx, cancel := context.WithTimeout(ctx, o.Handshake)
	defer cancel()
	return c.secure.HandshakeContext(ctx)
}

// saySecurely writes a request. On a connection that was used before nothing may have come since, not even what is TLS's own.
func (c *conn) saySecurely(head []byte, used bool) error {
	if used && (!c.silent() || !c.drained()) {
		return errStale
	}
	_, err := c.secure.Write(head)
	return err
}

// drained tells whether TLS has nothing that came behind what was read.
func (c *conn) drained() bool {
	var room [1]byte
	c.wire.mute = true
	n, err := c.secure.Read(room[:])
	c.wire.mute = false
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

// Close closes the connection; TLS says so. It may be called while another goroutine reads.
func (c *conn) Close() error {
	if c.secure == nil {
		return c.Conn.Close()
	}
	c.wire.closing.Store(true)
	return c.secure.Close()
}
