package rescue

import (
	"encoding/binary"
	"net/netip"
)

// The flags of a segment, RFC 9293 section 3.1.
const (
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// Of headers: RFC 791, RFC 8200, RFC 9293, RFC 7323.
const (
	minIP4        = 20
	minIP6        = 40
	minTCP        = 20
	protocolTCP   = 6
	optionEnd     = 0
	optionNothing = 1
	optionTimes   = 8
	timesLen      = 10
)

// flow is a connection's addresses.
type flow struct{ client, vip netip.AddrPort }

// segment is what is looked at of a TCP segment.
type segment struct {
	flow
	flags  uint8
	echo   uint32 // the timestamp that the client has last had
	echoes bool   // there is one
}

// parse parses an IP packet; false: it isn't a whole TCP segment without IP options that matter here.
func parse(b []byte) (segment, bool) {
	if len(b) == 0 {
		return segment{}, false
	}
	switch b[0] >> 4 {
	case 4:
		return parse4(b)
	case 6:
		return parse6(b)
	}
	return segment{}, false
}

func parse4(b []byte) (segment, bool) {
	if len(b) < minIP4 {
		return segment{}, false
	}
	header, total := int(b[0]&0x0f)*4, int(binary.BigEndian.Uint16(b[2:]))
	fragment := binary.BigEndian.Uint16(b[6:]) & 0x3fff
	if header < minIP4 || total < header || total > len(b) || fragment != 0 || b[9] != protocolTCP {
		return segment{}, false
	}
	return parseTCP(netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), b[header:total])
}

func parse6(b []byte) (segment, bool) {
	if len(b) < minIP6 {
		return segment{}, false
	}
	total := minIP6 + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) || b[6] != protocolTCP {
		return segment{}, false
	}
	return parseTCP(netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])), b[minIP6:total])
}

func parseTCP(from, to netip.Addr, b []byte) (segment, bool) {
	if len(b) < minTCP {
		return segment{}, false
	}
	header := int(b[12]>>4) * 4
	if header < minTCP || header > len(b) {
		return segment{}, false
	}
	s := segment{
		flow: flow{
			client: netip.AddrPortFrom(from, binary.BigEndian.Uint16(b)),
			vip:    netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[2:])),
		},
		flags: b[13],
	}
	s.echo, s.echoes = echo(b[minTCP:header])
	return s, true
}

// echo returns the timestamp that a segment's options echo, which counts only with ACK (RFC 7323, section 3.2).
func echo(options []byte) (uint32, bool) {
	for len(options) > 0 {
		kind := options[0]
		switch {
		case kind == optionEnd:
			return 0, false
		case kind == optionNothing:
			options = options[1:]
			continue
		case len(options) < 2 || options[1] < 2 || int(options[1]) > len(options):
			return 0, false
		case kind == optionTimes && options[1] == timesLen:
			return binary.BigEndian.Uint32(options[6:]), true
		}
		options = options[options[1]:]
	}
	return 0, false
}

// plausible says whether s may be of a connection that lives: such a segment acknowledges, and neither begins nor ends one
// at once.
func (s *segment) plausible() bool { return s.flags&(flagACK|flagSYN|flagRST) == flagACK }
