package h2

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
)

// dialing is a connection that somebody makes while others wait for it.
type dialing struct {
	over chan struct{} // closed when there is a connection, or none
	err  error         // not set before; nil if whoever dialled has left
	conn *conn         // the same
}

// conn returns a connection that has a stream for the caller. One at a time makes a new one; the others wait for that, and for
// the server to say how many streams it takes.
func (c *Client) conn(ctx context.Context) (*conn, error) {
	for {
		c.mu.Lock()
		if n := c.spare(); n != nil {
			c.mu.Unlock()
			return n, nil
		}
		d := c.dialing
		if d == nil {
			return c.connect(ctx) // which unlocks
		}
		c.mu.Unlock()
		if err := c.await(ctx, d); err != nil {
			return nil, err
		}
	}
}

// spare is a connection that has a stream for the caller: the oldest of them, so that the others may become idle. c.mu is held.
func (c *Client) spare() *conn {
	for _, n := range c.conns {
		if n.reserve() {
			return n
		}
	}
	return nil
}

// await waits for the connection that somebody makes.
func (c *Client) await(ctx context.Context, d *dialing) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-d.over:
	}
	if d.conn == nil {
		return d.err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-d.conn.greeted:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dialing == d {
		c.dialing = nil
	}
	return nil
}

// connect makes a connection with a stream for the caller. c.mu is held, and not any more at its end.
func (c *Client) connect(ctx context.Context) (*conn, error) {
	d := &dialing{over: make(chan struct{})}
	c.dialing = d
	c.mu.Unlock()
	wire, err := c.open(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(d.over)
	if err != nil {
		c.dialing = nil
		if ctx.Err() != nil { // one of those who wait dials next
			return nil, context.Cause(ctx)
		}
		d.err = err
		return nil, err
	}
	d.conn = newConn(c, wire)
	d.conn.reserve()
	c.conns = append(c.conns, d.conn)
	d.conn.work.Go(d.conn.read)
	return d.conn, nil
}

// open connects, and has TLS over it.
func (c *Client) open(ctx context.Context) (net.Conn, error) {
	wire, err := c.Dial(ctx)
	if err != nil || c.TLS == nil {
		return wire, err
	}
	secure := tls.Client(wire, c.TLS)
	ctx, cancel := context.WithTimeout(ctx, c.Handshake)
	defer cancel()
	if err = secure.HandshakeContext(ctx); err == nil && secure.ConnectionState().NegotiatedProtocol != "h2" {
		err = ErrNotSpoken
	}
	if err != nil {
		_ = wire.Close()
		return nil, err
	}
	return secure, nil
}

// remove forgets a connection.
func (c *Client) remove(n *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.conns, n); i >= 0 {
		c.conns = slices.Delete(c.conns, i, i+1)
	}
}
