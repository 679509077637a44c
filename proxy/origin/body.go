package origin

import (
	"io"
	"net/http"
	"time"
)

// content is a response's content: it fails when it stands still, and ends its exchange. One reader at a time.
type content struct {
	exchange *exchange
	body     io.ReadCloser
	idle     time.Duration
	timer    *time.Timer
	err      error // how it ended
}

func newContent(x *exchange, body io.ReadCloser, idle time.Duration) *content {
	c := &content{exchange: x, body: body, idle: idle}
	c.timer = time.AfterFunc(idle, func() { x.cancel(errIdle) })
	c.timer.Stop()
	return c
}

// Read reads; only the time that it waits for the server counts, not the time between two reads. Its error is io.EOF,
// an *Error, or the request's context's.
func (c *content) Read(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.timer.Reset(c.idle)
	n, err := c.body.Read(b)
	c.timer.Stop()
	switch err {
	case nil:
	case io.EOF:
		c.err = io.EOF
		_ = c.exchange.end(nil)
	default:
		c.err = c.exchange.end(err)
	}
	return n, c.err
}

// Close ends the exchange; a content that wasn't read to its end is dropped with its connection.
func (c *content) Close() error {
	c.timer.Stop()
	err := c.body.Close()
	c.exchange.abandon()
	return err
}

// tunnel is the connection after a 101.
type tunnel struct {
	io.ReadWriteCloser
	exchange *exchange
}

func newTunnel(x *exchange, body io.ReadCloser) io.ReadCloser {
	if rw, ok := body.(io.ReadWriteCloser); ok {
		return &tunnel{rw, x}
	}
	return newContent(x, body, time.Hour) // net/http has no other body for a 101; a reader would still be served
}

// CloseWrite tells the server that nothing more will come; its own last words still do.
func (t *tunnel) CloseWrite() error {
	if c, ok := t.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return http.ErrNotSupported
}

// Close closes the connection and gives the place back.
func (t *tunnel) Close() error {
	err := t.ReadWriteCloser.Close()
	t.exchange.abandon()
	return err
}
