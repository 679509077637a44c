package h1

import "time"

// take returns an idle connection; nil: there is none. Whether anything has come on it, say finds out.
func (c *Client) take(now time.Time) *conn {
	for {
		last := c.pop()
		if last == nil || now.Sub(last.since) < c.KeepAlive {
			return last
		}
		_ = last.Close()
	}
}

func (c *Client) pop() *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle)
	if n == 0 {
		return nil
	}
	last := c.idle[n-1]
	c.idle[n-1] = nil
	c.idle = c.idle[:n-1]
	return last
}

// put keeps a connection for the next request.
func (c *Client) put(idle *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) >= c.MaxIdle {
		_ = idle.Close()
		return
	}
	idle.since, idle.used = time.Now(), true
	c.idle = append(c.idle, idle)
	if c.prune == nil {
		c.prune = time.AfterFunc(c.KeepAlive, c.pruneIdle)
	}
}

// pruneIdle closes what has been idle for too long, and comes back for the next one.
func (c *Client) pruneIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.prune == nil {
		return // CloseIdle came before
	}
	old := 0
	for old < len(c.idle) && time.Since(c.idle[old].since) >= c.KeepAlive {
		_ = c.idle[old].Close()
		old++
	}
	rest := copy(c.idle, c.idle[old:])
	clear(c.idle[rest:])
	if c.idle = c.idle[:rest]; rest == 0 {
		c.prune = nil
		return
	}
	c.prune.Reset(c.KeepAlive - time.Since(c.idle[0].since))
}

// CloseIdle closes the idle connections. Those in use stay, and may be idle later.
func (c *Client) CloseIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, idle := range c.idle {
		_ = idle.Close()
	}
	c.idle = nil
	if c.prune != nil {
		c.prune.Stop()
		c.prune = nil
	}
}
