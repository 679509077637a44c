package quiclb

import "fmt"

// Configs are those in force, at most one for each ID. They never change: whoever rotates makes others. The zero value
// has none.
type Configs struct {
	codecs [MaxConfigID + 1]*Codec
}

// NewConfigs returns a set of codecs. Two of one ID are an error.
func NewConfigs(codecs ...*Codec) (*Configs, error) {
	s := new(Configs)
	for _, c := range codecs {
		if s.codecs[c.id] != nil {
			return nil, fmt.Errorf("quic-lb config %d: is there twice", c.id)
		}
		s.codecs[c.id] = c
	}
	return s, nil
}

// ServerID writes the server ID of a connection ID into dst and returns it, or nil where no configuration made it: the
// packet can't be routed by it, section 3.2 of the draft. A connection ID that a client chose may look like one. It
// allocates nothing if dst has room for MaxServerIDLen octets; see Codec.ServerID.
func (s *Configs) ServerID(dst, cid []byte) []byte {
	if len(cid) == 0 {
		return nil
	}
	if id := cid[0] >> 5; id <= MaxConfigID && s.codecs[id] != nil {
		return s.codecs[id].ServerID(dst, cid)
	}
	return nil
}

// Codec is that of an ID, nil for none.
func (s *Configs) Codec(id uint8) *Codec {
	if id > MaxConfigID {
		return nil
	}
	return s.codecs[id]
}
