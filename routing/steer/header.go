package steer

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
)

// What is sent between nodes, over UDP:
//
//	octet  0     1       2     3     6       10        16
//	       ├─────┼───────┼─────┼─────┼───────┼─────────┼──────────────────────────────────────┬─────┐
//	       │type │ flags │ key │ VIP │ epoch │ counter │ client's port, address, the datagram │ tag │
//	       └─────┴───────┴─────┴─────┴───────┴─────────┴──────────────────────────────────────┴─────┘
//	        └──────────── authenticated ───────────────┘└───────────── encrypted ────────────┘
//
// The nonce is octets 4 to 15: epoch and counter are never the same twice under one key.
const (
	headerLen  = 16
	noncePlace = 4
	tagLen     = 16
	version    = 1 << 4 // in the first octet, above the type
)

// message is the type of what is sent.
type message uint8

const (
	datagram message = iota + 1
	ping
	pong
	segment // an IP packet of a TCP connection
	query   // a question for such a connection's owner, or its answer
)

const (
	flagV6  = 0x80 // the client's address has 16 octets
	ecnMask = 0x03
)

// vipTag tells the VIP's sockets apart: the first octets of a hash of address and port, which needs no agreement.
type vipTag [3]byte

func tagOf(vip netip.AddrPort) vipTag {
	sum := sha256.Sum256([]byte(netip.AddrPortFrom(vip.Addr().Unmap(), vip.Port()).String()))
	return vipTag(sum[:])
}

// header is what stands before the encrypted part.
type header struct {
	kind    message
	v6      bool
	ecn     uint8 // the congestion marks that the datagram came with, RFC 3168; they are not the tunnel's own
	key     uint8 // the ID of what the key is derived from
	vip     vipTag
	epoch   uint32 // of the sender's process
	counter uint64 // of 48 bits
}

func (h header) append(b []byte) []byte {
	flags := h.ecn & ecnMask
	if h.v6 {
		flags |= flagV6
	}
	b = append(b, version|byte(h.kind), flags, h.key, h.vip[0], h.vip[1], h.vip[2])
	b = binary.BigEndian.AppendUint32(b, h.epoch)
	b = binary.BigEndian.AppendUint16(b, uint16(h.counter>>32))
	return binary.BigEndian.AppendUint32(b, uint32(h.counter))
}

// parseHeader parses b, of which it refuses what this version doesn't know.
func parseHeader(b []byte) (header, Refusal) {
	if len(b) < headerLen+tagLen {
		return header{}, Truncated
	}
	kind := message(b[0] &^ version)
	if b[0]&0xf0 != version || kind < datagram || kind > query || b[1]&^(flagV6|ecnMask) != 0 {
		return header{}, WrongVersion
	}
	return header{
		kind: kind, v6: b[1]&flagV6 != 0, ecn: b[1] & ecnMask, key: b[2], vip: vipTag(b[3:6]),
		epoch:   binary.BigEndian.Uint32(b[6:]),
		counter: uint64(binary.BigEndian.Uint16(b[10:]))<<32 | uint64(binary.BigEndian.Uint32(b[12:])),
	}, Accepted
}
