package h2

import (
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/anyedge/anyedge/proxy/h2/frame"
	"github.com/anyedge/anyedge/proxy/hitpath"
)

const (
	// maxOut is how much waits at most to be written before those who write wait, in octets: four of the largest TLS
	// records. So much of stored contents is put together for one write, too.
	maxOut = 64 << 10
	// mostOut is how much waits before nothing more is read, in octets: handlers leave room for what the reader says.
	mostOut = 2 * maxOut
	// keptOut is how large a buffer may be that is kept, in octets.
	keptOut = mostOut + maxAtOnce
	// record is the largest content of a TLS record, in octets.
	record = 16 << 10
	// rearm is the share of a timeout that a deadline may lag behind, since setting one costs more than reading the clock.
	rearm = 8
)

// output is what waits to be written: frames, and the accounts of the answers that end with them.
type output struct {
	octets []byte
	owed   []*hitpath.Exchange
}

// output returns what waits, for something to be appended. c.mu is held.
func (c *Conn) output() *output {
	if c.out == nil {
		c.out = c.server.output()
	}
	return c.out
}

func (s *Server) output() *output {
	if o, ok := s.outputs.Get().(*output); ok {
		return o
	}
	return &output{}
}

// release accounts for what was written, and makes o ready for others.
func (s *Server) release(o *output, err error, stalled bool) {
	for _, x := range o.owed {
		a := x.Answer()
		a.Whole, a.Stalled = err == nil, stalled
		if err == nil {
			a.Sent = x.Content().Size()
		}
		x.Account()
	}
	clear(o.owed)
	o.octets, o.owed = o.octets[:0], o.owed[:0]
	if cap(o.octets) <= keptOut {
		s.outputs.Put(o)
	}
}

// pending tells whether something can be written. c.mu is held.
func (c *Conn) pending() bool { return c.out != nil || c.window > 0 && c.sends.any() }

// write writes what waits, unless somebody does. What has come meanwhile, and the rest of stored contents, is left to a
// goroutine: neither the reader nor a handler is kept by what others have to say. With yields others get a turn before, so
// that it leaves together. c.mu is held, but not meanwhile.
func (c *Conn) write(yields bool) {
	if c.writing || c.broken || !c.pending() {
		return
	}
	c.writing = true
	if yields {
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
	}
	c.writeOnce()
	if c.pending() && !c.broken && c.err == nil {
		c.work.Go(c.writeOn)
		return
	}
	c.rest()
}

// writeBeside has a goroutine write, for one who mustn't wait. c.mu is held.
func (c *Conn) writeBeside() {
	if !c.writing && !c.broken && c.pending() {
		c.writing = true
		c.work.Go(c.writeOn)
	}
}

// writeOn writes until nothing waits. It is the one who writes.
func (c *Conn) writeOn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.pending() && !c.broken {
		c.writeOnce()
	}
	c.rest()
}

// rest ends writing. c.mu is held.
func (c *Conn) rest() {
	c.writing = false
	c.changed.Broadcast()
}

// writeOnce writes what waits, and a part of what is stored. c.mu is held, but not meanwhile.
func (c *Conn) writeOnce() {
	o := c.output()
	c.out = nil
	c.fill(o)
	armed := c.arm()
	c.mu.Unlock()
	err := c.writeAll(o.octets)
	stalled := err != nil && time.Since(armed) >= c.server.SendIdle
	c.server.release(o, err, stalled)
	c.mu.Lock()
	if err != nil {
		c.stalled = stalled
		c.breakOff()
		_ = c.tls.NetConn().Close() // which ends Serve's read
	}
	c.changed.Broadcast()
	c.wake()
}

// arm gives the client time to take what is written next, and returns from when on.
func (c *Conn) arm() time.Time {
	if now := time.Now(); now.Sub(c.armed) >= c.server.SendIdle/rearm {
		c.armed = now
		_ = c.tls.SetWriteDeadline(now.Add(c.server.SendIdle))
	}
	return c.armed
}

// writeAll writes p, whose records leave together.
func (c *Conn) writeAll(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if len(p) <= record {
		_, err := c.tls.Write(p)
		return err
	}
	c.wire.Hold()
	_, err := c.tls.Write(p)
	if released := c.wire.Release(); err == nil {
		err = released
	}
	return err
}

// breakOff ends all writing, and drops what waits, even if it was broken off before. c.mu is held.
func (c *Conn) breakOff() {
	if o := c.out; o != nil {
		c.out = nil
		c.server.release(o, os.ErrClosed, c.stalled)
	}
	if c.broken {
		return
	}
	c.broken = true
	c.changed.Broadcast()
	for _, list := range c.blocked {
		for _, s := range list {
			s.changed.Broadcast()
		}
	}
}

// awaitRoom is for the reader: while others write and too much waits it doesn't go on. c.mu is held, but not meanwhile.
func (c *Conn) awaitRoom() {
	for c.isFull() && !c.broken {
		switch {
		case !c.writing:
			c.write(false)
		case len(c.out.octets) < mostOut:
			return
		default:
			c.changed.Wait()
		}
	}
}

// isFull tells whether as much waits as may. c.mu is held.
func (c *Conn) isFull() bool { return c.out != nil && len(c.out.octets) >= maxOut }

// resource is what handlers wait for that is the connection's.
type resource int

const (
	room resource = iota
	window
	resources
)

// wake lets the first of those go on who wait for room, and for the window, if there is some. c.mu is held.
func (c *Conn) wake() {
	if c.isFull() {
		return
	}
	c.wakeOne(room)
	if c.window > 0 {
		c.wakeOne(window)
	}
}

func (c *Conn) wakeOne(r resource) {
	if list := c.blocked[r]; len(list) > 0 {
		list[0].changed.Broadcast()
		c.blocked[r] = slices.Delete(list, 0, 1)
	}
}

// openHeaders appends the beginning of HEADERS, behind which the fields are to be appended; frame.CloseHeaders must follow. c.mu
// is held.
func (c *Conn) openHeaders(dst []byte) []byte {
	dst = frame.OpenHeaders(dst)
	if c.noTable {
		dst = append(dst, noTable)
	}
	return dst
}
