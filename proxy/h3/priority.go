package h3

import (
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/anyedge/anyedge/proxy/message"
)

// readPriority deals with a PRIORITY_UPDATE for a request (RFC 9218, section 7.2): its stream's id, and a Priority field.
func (c *Conn) readPriority(b []byte) error {
	id, n, err := quicvarint.Parse(b)
	switch {
	case err != nil:
		return &breach{codeFrame, "PRIORITY_UPDATE without a stream"}
	case id%4 != 0:
		return &breach{codeID, "PRIORITY_UPDATE of what is no request"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.open[quic.StreamID(id)]; s != nil {
		s.SetPriority(message.Priority(string(b[n:])))
	}
	return nil
}
