package admission

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// rearm is the share of an idle timeout that a deadline may lag behind the last octet: deadlines are moved at most
// that often, because moving one costs a message to H2's serve loop.
const rearm = 8

// content is a request's content, held to a size and to a pace.
type content struct {
	body    io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
	limit   int64 // octets; 0: unbounded
	refused map[Reason]prometheus.Counter

	read int64 // octets so far; only Read touches it and err
	err  error // what Read returns from now on

	reading   sync.Mutex  // held by Read
	abandoned atomic.Bool // the handler has returned

	mu       sync.Mutex // guards the following fields
	armed    time.Time  // when the deadline was last moved
	released bool       // no more deadlines
	ended    bool       // read to its end, or given up
}

// Read reads on. Past a limit it returns an [*Error], which reaches the caller through the fill.
func (c *content) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	c.arm()
	n, err := c.body.Read(c.cut(p))
	c.read += int64(n)
	switch {
	case c.limit > 0 && c.read > c.limit:
		n, err = 0, c.refuse(contentTooLarge())
	case errors.Is(err, os.ErrDeadlineExceeded) && !c.abandoned.Load():
		err = c.refuse(contentIdle())
	}
	if err != nil {
		c.err = err
		c.end(err)
	}
	return n, err
}

// cut leaves room for one octet more than is allowed: the one that shows that there is more.
func (c *content) cut(p []byte) []byte {
	if left := c.limit - c.read + 1; c.limit > 0 && int64(len(p)) > left {
		return p[:left]
	}
	return p
}

func (c *content) refuse(err *Error) error {
	c.refused[err.Reason].Inc()
	return err
}

// Close closes the content.
func (c *content) Close() error { return c.body.Close() }

func (c *content) arm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.released || now.Sub(c.armed) < c.idle/rearm {
		return
	}
	c.armed = now
	_ = c.control.SetReadDeadline(now.Add(c.idle)) // where it isn't supported there is nothing to hold
}

// end is the end of the content. A whole one leaves no deadline: H1 goes on to watch the connection. Of one that was
// given up there may be more, which net/http reads before it lets go: the deadline stays.
func (c *content) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(err, io.EOF) && !c.released {
		_ = c.control.SetReadDeadline(time.Time{})
	}
	c.released, c.ended = true, true
}

// release takes the deadline away when the response begins: from there on a bidirectional stream may rest as long as
// the origin wants.
func (c *content) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.released {
		_ = c.control.SetReadDeadline(time.Time{})
	}
	c.released = true
}

// leave is for the end of an H1 handler. It ends a read that a fill has still under way, and gives net/http, which
// reads some of what is left before it closes the connection, limited time for that.
func (c *content) leave() {
	if c.over() {
		return
	}
	c.abandoned.Store(true)
	_ = c.control.SetReadDeadline(time.Unix(1, 0))
	c.reading.Lock()
	defer c.reading.Unlock()
	_ = c.control.SetReadDeadline(time.Now().Add(c.idle))
}

func (c *content) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}
