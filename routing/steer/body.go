package steer

import "encoding/binary"

// body is what a ping and its answer say. It may be padded.
type body struct {
	challenge  uint64 // the ping's, which its answer repeats
	size       uint16 // of the ping that is answered, as an IP packet
	leaving    bool   // the sender's process ends
	generation uint8  // of the sender's process
	// silent are nodes that the sender hears nothing of. One that isn't listed is heard, or not known, or there are too many.
	silent []NodeID
}

const (
	bodyLen   = 8 + 2 + 1 + 1 + 1
	maxSilent = 250
	isLeaving = 1
)

func (m body) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, m.challenge)
	b = binary.BigEndian.AppendUint16(b, m.size)
	flags := byte(0)
	if m.leaving {
		flags |= isLeaving
	}
	m.silent = m.silent[:min(len(m.silent), maxSilent)]
	b = append(b, flags, m.generation, byte(len(m.silent)))
	for _, n := range m.silent {
		b = binary.BigEndian.AppendUint16(b, n.Metro)
		b = binary.BigEndian.AppendUint16(b, n.Host)
	}
	return b
}

// parseBody parses b; what follows is padding.
func parseBody(b []byte) (body, Refusal) {
	if len(b) < bodyLen {
		return body{}, Truncated
	}
	m := body{challenge: binary.BigEndian.Uint64(b), size: binary.BigEndian.Uint16(b[8:]), leaving: b[10]&isLeaving != 0, generation: b[11]}
	n := int(b[12])
	if b = b[bodyLen:]; len(b) < 4*n {
		return body{}, Truncated
	}
	for i := range n {
		m.silent = append(m.silent, NodeID{Metro: binary.BigEndian.Uint16(b[4*i:]), Host: binary.BigEndian.Uint16(b[4*i+2:])})
	}
	return m, Accepted
}
