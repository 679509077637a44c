package h3

import (
	"strings"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// defaultUrgency is that of RFC 9218, section 4.1.
const defaultUrgency = 3

// priority reads a Priority field (RFC 9218, section 4). Of what isn't understood the defaults stay.
func priority(value string) (urgency int8, incremental bool) {
	urgency = defaultUrgency
	for member := range strings.SplitSeq(value, ",") {
		member, _, _ = strings.Cut(member, ";")
		key, item, _ := strings.Cut(strings.TrimSpace(member), "=")
		switch {
		case key == "u" && len(item) == 1 && item[0] >= '0' && item[0] <= '7':
			urgency = int8(item[0] - '0')
		case key == "i":
			incremental = item == "" || item == "?1"
		}
	}
	return urgency, incremental
}

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
		s.SetPriority(priority(string(b[n:])))
	}
	return nil
}
