package h2

import (
	"golang.org/x/net/http2/hpack"
)

const (
	// firstRead is how much is read at once at first, in octets, and mostRead at most.
	firstRead = 4 << 10
	mostRead  = 64 << 10
	// keptFields is how long a list of fields may be that is kept.
	keptFields = 64
)

// input is where a connection reads to, and what it decodes there. Idle connections have none.
type input struct {
	octets []byte // what has come and wasn't looked at yet
	fields []hpack.HeaderField
	size   int64 // of fields, as RFC 9113, section 6.5.2, counts it
}

// take reads once, behind what has come. Before a frame it waits with room for one octet, of which no frame is: the rest of
// its TLS record is there already, or must be waited for in any case.
func (c *Conn) take() (int, error) {
	if c.input != nil {
		return c.takeMore()
	}
	if n, err := c.tls.Read(c.one[:]); n == 0 {
		return 0, err
	}
	var ok bool
	if c.input, ok = c.server.inputs.Get().(*input); !ok {
		c.input = &input{octets: make([]byte, 0, firstRead)}
	}
	c.octets = append(c.octets, c.one[0])
	n, _ := c.takeMore() // its error comes again
	return 1 + n, nil
}

// takeMore reads once, with more room if there is none.
func (c *Conn) takeMore() (int, error) {
	if len(c.octets) == cap(c.octets) {
		c.octets = append(make([]byte, 0, 2*cap(c.octets)), c.octets...)
	}
	n, err := c.tls.Read(c.octets[len(c.octets):min(cap(c.octets), len(c.octets)+mostRead)])
	c.octets = c.octets[:len(c.octets)+n]
	return n, err
}

// empty gives the room back when nothing is in it.
func (c *Conn) empty() {
	if len(c.octets) > 0 {
		return
	}
	if cap(c.octets) <= mostRead {
		c.server.inputs.Put(c.input)
	}
	c.input = nil
}

// addField takes a field that was decoded. Past the limit it keeps none.
func (c *Conn) addField(f hpack.HeaderField) {
	if c.size += int64(f.Size()); c.size <= c.server.Header {
		c.fields = append(c.fields, f)
	}
}

// forget drops the fields.
func (c *Conn) forget() {
	clear(c.fields)
	if c.fields, c.size = c.fields[:0], 0; cap(c.fields) > keptFields {
		c.fields = nil
	}
}
