package load

import (
	"context"
	"net"
	"sync"
	"time"
)

// h2Driver has one connection at a time with many streams. One goroutine reads, and answers what it has read with the next
// requests before it reads again; in an open loop another sends what is due.
type h2Driver struct {
	*dialer
	conn *h2Conn
}

func (h *h2Driver) connect(ctx context.Context) error {
	c, err := h.tcp(ctx, "h2")
	if err != nil {
		return err
	}
	h.conn = newH2Conn(h, c)
	return h.conn.greet()
}

func (h *h2Driver) close() {
	if h.conn != nil {
		_ = h.conn.c.Close()
		h.conn = nil
	}
}

// drive goes on with new connections as long as the plan is patient.
func (h *h2Driver) drive(ctx context.Context, s *source) {
	stop := context.AfterFunc(ctx, s.end)
	defer stop()
	for h.conn != nil || h.reconnect(ctx, s) {
		if h.conn.serve(ctx, s) {
			return
		}
		h.close()
	}
}

// retryPause is how long a closed loop waits before it connects again.
const retryPause = 50 * time.Millisecond

// reconnect opens a connection anew. A request that it would have been for fails with each attempt. False ends the load.
func (h *h2Driver) reconnect(ctx context.Context, s *source) bool {
	for {
		err := h.connect(ctx)
		if err == nil {
			return true
		}
		h.close()
		req, due, ok := s.take()
		if !ok || !sleep(ctx, due) {
			return false
		}
		if !h.recorder.add(req, due, nil, err) {
			s.end()
			return false
		}
		if !s.open() && !sleep(ctx, time.Now().Add(retryPause)) {
			return false
		}
	}
}

// serve has requests answered until there are no more, which it says, or the connection ends.
func (c *h2Conn) serve(ctx context.Context, s *source) (done bool) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = c.c.Close() })
	var others sync.WaitGroup
	others.Go(func() { c.expire(ctx, s) })
	if s.open() {
		others.Go(func() { c.send(ctx, s) })
	} else {
		c.refill(s)
	}
	err := c.read(s)
	stop()
	cancel()
	_ = c.c.Close()
	others.Wait()
	return c.end(err, s)
}

// end fails what is under way. done says that the load has no more requests or is to end.
func (c *h2Conn) end(err error, s *source) (done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		err = net.ErrClosed
	}
	for id, st := range c.streams {
		delete(c.streams, id)
		if !c.d.recorder.add(st.req, st.due, nil, err) {
			s.end()
		}
	}
	return c.drained || s.ended.Load()
}

// send sends what is due, as soon as there is a stream for it.
func (c *h2Conn) send(ctx context.Context, s *source) {
	free := s.began
	for {
		req, due, ok := s.take()
		if !ok {
			c.drain()
			return
		}
		waited := sleep(ctx, due)
		select {
		case <-c.slots:
		default:
			select {
			case <-c.slots:
				free = time.Now()
			case <-ctx.Done():
				waited = false
			}
		}
		switch {
		case !waited:
			c.d.recorder.add(req, due, nil, net.ErrClosed)
			return
		case s.late(due):
			c.slots <- struct{}{}
			c.d.recorder.add(req, due, nil, &failure{kind: "timeout", path: req.Path, err: errTooLate})
		default:
			c.d.recorder.sent(due, free)
			c.sendOne(req, due)
		}
	}
}

func (c *h2Conn) sendOne(req *Request, due time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open(req, due)
	if err := c.out.Flush(); err != nil {
		_ = c.c.Close() // the reader ends, and fails what is under way
	}
}

// drain says that no further request comes. Where none is under way, the connection is done.
func (c *h2Conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drained = true
	if len(c.streams) == 0 {
		_ = c.c.Close()
	}
}

// refill opens streams for the next requests of a closed loop, as many as may be.
func (c *h2Conn) refill(s *source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.drained && len(c.streams) < c.d.plan.Streams {
		req, due, ok := s.take()
		if !ok {
			c.drained = true
			return
		}
		c.open(req, due)
	}
}

// expire gives up requests that have waited for too long.
func (c *h2Conn) expire(ctx context.Context, s *source) {
	tick := time.NewTicker(bucket)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.expireNow(s)
		case <-ctx.Done():
			return
		}
	}
}

func (c *h2Conn) expireNow(s *source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, st := range c.streams {
		if time.Since(st.sent) < c.d.plan.Timeout {
			continue
		}
		c.reset(id)
		if !c.finish(id, st, s, &failure{kind: "timeout", path: st.req.Path}) {
			_ = c.c.Close()
			return
		}
	}
	if err := c.out.Flush(); err != nil || c.drained && len(c.streams) == 0 {
		_ = c.c.Close()
	}
}
