package hitpath

const (
	// firstRead is how much is read at once at first, in octets, and mostRead at most.
	firstRead = 4 << 10
	mostRead  = 64 << 10
)

// input is where a connection reads to. Idle connections have none.
type input struct{ octets []byte }

// receive reads once, behind what has come. Before a frame it waits with room for one octet, of which no frame is: the rest
// of its TLS record is there already, or must be waited for in any case.
func (c *H2Conn) receive() (int, error) {
	if len(c.in) > 0 || c.pass > 0 {
		return c.readMore()
	}
	if n, err := c.Conn.Read(c.one[:]); n == 0 {
		return 0, err
	}
	c.take()
	c.in = append(c.in, c.one[0])
	n, _ := c.readMore() // its error comes again
	return 1 + n, nil
}

// readMore reads once, with more room if there is none.
func (c *H2Conn) readMore() (int, error) {
	switch {
	case c.in == nil:
		c.take()
	case len(c.in) == cap(c.in):
		c.in = append(make([]byte, 0, max(firstRead, 2*cap(c.in))), c.in...)
	}
	n, err := c.Conn.Read(c.in[len(c.in):min(cap(c.in), len(c.in)+mostRead)])
	c.in = c.in[:len(c.in)+n]
	return n, err
}

// take takes room to read to.
func (c *H2Conn) take() {
	var ok bool
	if c.room, ok = c.server.inputs.Get().(*input); !ok {
		c.room = &input{make([]byte, 0, firstRead)}
	}
	c.in = c.room.octets
}

// empty gives the room back when nothing is in it.
func (c *H2Conn) empty() {
	if len(c.in) > 0 || c.room == nil {
		return
	}
	if cap(c.in) <= mostRead {
		c.room.octets = c.in
	}
	c.server.inputs.Put(c.room)
	c.in, c.room = nil, nil
}
