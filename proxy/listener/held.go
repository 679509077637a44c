package listener

import "sync"

// maxHeld is how much of what TLS writes is held for one write to the socket, in octets: four of its largest records.
// crypto/tls writes each by itself, and the first of a connection are small ones.
const maxHeld = 64 << 10

// heldBuffers are what is held is held in; a connection has one only while it writes.
var heldBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, maxHeld+tlsRecord)
	return &b
}}

// tlsRecord is the size of the largest TLS record (RFC 8446, section 5.2).
const tlsRecord = 5 + 1<<14 + 256

// Hold begins to collect what is written. It and Release are called by whoever writes, with nobody beside.
func (c *conn) Hold() { c.held = heldBuffers.Get().(*[]byte) }

// Release writes what was collected; from then on writes are written at once.
func (c *conn) Release() error {
	err := c.flushHeld()
	held := c.held
	c.held = nil
	heldBuffers.Put(held)
	return err
}

// hold collects b, and writes when that is enough.
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
	held := *c.held
	*c.held = held[:0]
	if len(held) == 0 {
		return nil
	}
	_, err := c.TCPConn.Write(held)
	c.note(err)
	return err
}
