package listener

import (
	"sync"
	"sync/atomic"
)

const (
	// maxHeld is how much of what TLS writes is held for one write to the socket, in octets: two of its largest records.
	// crypto/tls writes each by itself, and the first of a connection are small ones. With four the time that is saved on
	// writes is lost on memory: what the kernel copies isn't in the nearest cache any more.
	maxHeld = 32 << 10
	// tlsRecord is the size of the largest TLS record, in octets (RFC 8446, section 5.2).
	tlsRecord = 5 + 1<<14 + 256
	// maxHolding is how many connections of a listener hold something at a time: 48 MB of what clients don't take must be
	// enough. The others write record by record.
	maxHolding = 1 << 10
)

// held are the buffers for what is held; a connection has one only while it writes.
type held struct {
	used    atomic.Int64
	buffers sync.Pool // of *[]byte
}

// get returns an empty buffer, or nil when there are enough.
func (h *held) get() *[]byte {
	if h.used.Add(1) > maxHolding {
		h.used.Add(-1)
		return nil
	}
	if b, ok := h.buffers.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, maxHeld+tlsRecord)
	return &b
}

func (h *held) put(b *[]byte) {
	*b = (*b)[:0]
	h.buffers.Put(b)
	h.used.Add(-1)
}

// Hold begins to collect what is written. It and Release are called by whoever answers, one at a time.
func (c *conn) Hold() {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.held = c.set.held.get()
}

// Release writes what was collected; from then on writes are written at once.
func (c *conn) Release() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	b := c.held
	if b == nil {
		return nil
	}
	err := c.flushHeld()
	c.held = nil
	c.set.held.put(b)
	return err
}

// hold collects b, and writes when that is enough. c.writing is held.
func (c *conn) hold(b []byte) (int, error) {
	*c.held = append(*c.held, b...)
	if len(*c.held) < maxHeld {
		return len(b), nil
	}
	if err := c.flushHeld(); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *conn) flushHeld() error {
	b := *c.held
	*c.held = b[:0]
	if len(b) == 0 {
		return nil
	}
	_, err := c.TCPConn.Write(b)
	c.note(err)
	return err
}
