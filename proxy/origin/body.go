package origin

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// content is a response's content: it fails when it stands still, and ends its exchange. One reader at a time.
type content struct {
	exchange *exchange
	body     io.ReadCloser
	idle     time.Duration
	timer    *time.Timer
}

func newContent(x *exchange, body io.ReadCloser, idle time.Duration) *content {
	c := &content{exchange: x, body: body, idle: idle}
	c.timer = time.AfterFunc(idle, func() { x.cancel(errIdle) })
	c.timer.Stop()
	return c
}

// Read reads; only the time that it waits for the server counts, not the time between two reads.
func (c *content) Read(b []byte) (int, error) {
	c.timer.Reset(c.idle)
	n, err := c.body.Read(b)
	c.timer.Stop()
	switch err {
	case nil:
		return n, nil
	case io.EOF:
		_ = c.exchange.end(nil)
		return n, io.EOF
	default:
		return n, c.exchange.end(err)
	}
}

// Close ends the exchange; a content that wasn't read to its end is dropped with its connection.
func (c *content) Close() error {
	c.timer.Stop()
	err := c.body.Close()
	_ = c.exchange.end(nil)
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
	_ = t.exchange.end(nil)
	return err
}

// heldContent is a request's content that outlives a try which didn't read it: net/http closes the content of a request
// whose connection it couldn't have.
type heldContent struct {
	io.ReadCloser
	touched atomic.Bool
	failed  atomic.Pointer[error] // why it couldn't be read
}

func holdContent(r *http.Request) *heldContent {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	return &heldContent{ReadCloser: r.Body}
}

// Read reads, after which no other try can.
func (h *heldContent) Read(b []byte) (int, error) {
	h.touched.Store(true)
	n, err := h.ReadCloser.Read(b)
	if err != nil && err != io.EOF {
		h.failed.Store(&err)
	}
	return n, err
}

// failure is why the content couldn't be read, or nil.
func (h *heldContent) failure() error {
	if h == nil || h.failed.Load() == nil {
		return nil
	}
	return *h.failed.Load()
}

// Close closes a content that was read. One that wasn't is left to its owner, the server that received it.
func (h *heldContent) Close() error {
	if !h.touched.Load() {
		return nil
	}
	return h.ReadCloser.Close()
}
