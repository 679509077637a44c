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
	timer    *time.Timer // nil: the body itself fails
	err      error       // how it ended
}

func newContent(x *exchange, body io.ReadCloser, idle time.Duration) *content {
	c := &x.content
	*c = content{exchange: x, body: body, idle: idle}
	if x.cancel != nil {
		c.timer = time.AfterFunc(idle, func() { x.cancel(errIdle) })
		c.timer.Stop()
	}
	return c
}

// Buffered is how many octets can be read at once; 0 where that isn't known.
func (c *content) Buffered() int {
	if b, ok := c.body.(interface{ Buffered() int }); ok && c.err == nil {
		return b.Buffered()
	}
	return 0
}

// Read reads; only the time that it waits for the server counts, not the time between two reads. Its error is io.EOF,
// an *Error, or the request's context's.
func (c *content) Read(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.read(b)
	if err == nil {
		return n, nil
	}
	if err == io.EOF { //nolint:errorlint // io.Reader returns io.EOF itself; one that is wrapped may be a content that isn't whole
		c.err = io.EOF
		_ = c.exchange.end(nil)
	} else {
		c.err = c.exchange.end(err)
	}
	return n, c.err
}

func (c *content) read(b []byte) (int, error) {
	if c.timer == nil {
		return c.body.Read(b)
	}
	c.timer.Reset(c.idle)
	defer c.timer.Stop()
	return c.body.Read(b)
}

// Close ends the exchange; a content that wasn't read to its end is dropped with its connection.
func (c *content) Close() error {
	if c.timer != nil {
		c.timer.Stop()
	}
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
