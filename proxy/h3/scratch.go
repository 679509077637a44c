package h3

import "sync"

// keptOut is how large a buffer for an answer may be that is kept, in octets.
const keptOut = queued + 4<<10

// scratch is what it takes to look at a request, and to answer it at once. Idle connections have none.
type scratch struct {
	in      [firstRead]byte
	out     []byte
	section section
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// release gives the scratch back, without what the client said.
func (c *Conn) release() {
	s := c.scratch
	c.scratch = nil
	clear(s.section.list)
	if cap(s.out) > keptOut || cap(s.section.text) > firstRead {
		return
	}
	scratches.Put(s)
}
