package steer

import "crypto/aes"

// QUIC's invariants, RFC 8999 section 5, and version 1, RFC 9000 section 17.
const (
	longHeader = 0x80
	fixedBit   = 0x40
	// longHead is what comes before the connection ID in a long header: first octet, version, length.
	longHead = 1 + 4 + 1
	// minShort is the shortest packet with a short header that can be decrypted: first octet, connection ID, and the four
	// octets of packet number and content and sixteen more that header protection takes its sample from.
	minShort = 1 + CIDLen + 4 + 16
)

// kind is what a datagram's header says.
type kind uint8

const (
	kindRouted     kind = iota // its connection ID has an owner
	kindInitial                // a long header without one
	kindUnroutable             // a short header without one
	kindTooShort
	kindNotQUIC
)

// classifier is one reader's, with the room that it needs. It must not be used concurrently.
type classifier struct {
	block [aes.BlockSize]byte
}

// classify says what kind of datagram b is and who owns it. It looks at the first packet alone: the others in a datagram
// have the same connection ID (RFC 9000, section 12.2).
func (c *classifier) classify(s *ids, b []byte) (kind, ServerID) {
	switch {
	case len(b) == 0:
		return kindTooShort, ServerID{}
	case b[0]&longHeader != 0:
		return c.classifyLong(s, b)
	case b[0]&fixedBit == 0:
		return kindNotQUIC, ServerID{}
	case len(b) < minShort:
		return kindTooShort, ServerID{}
	}
	if id, ok := s.owner(c.block[:], b[1:1+CIDLen]); ok {
		return kindRouted, id
	}
	return kindUnroutable, ServerID{}
}

// classifyLong classifies a long header. Before the server has chosen a connection ID the client's own stands there; after
// a Retry (RFC 9000, section 8.1.2) even an Initial has the server's.
func (c *classifier) classifyLong(s *ids, b []byte) (kind, ServerID) {
	if len(b) < longHead || len(b) < longHead+int(b[longHead-1])+1 { // the last one: the length of the source's
		return kindTooShort, ServerID{}
	}
	if b[longHead-1] != CIDLen {
		return kindInitial, ServerID{}
	}
	if id, ok := s.owner(c.block[:], b[longHead:longHead+CIDLen]); ok {
		return kindRouted, id
	}
	return kindInitial, ServerID{}
}
