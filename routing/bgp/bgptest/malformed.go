package bgptest

import (
	"encoding/binary"
	"slices"
)

// update is an UPDATE with these attributes and NLRI, RFC 4271 §4.3, whatever is in them.
func update(attributes []byte, nlri ...byte) []byte {
	m := slices.Repeat([]byte{0xff}, 16)
	m = binary.BigEndian.AppendUint16(m, uint16(16+2+1+2+2+len(attributes)+len(nlri)))
	m = append(m, 2, 0, 0)
	m = binary.BigEndian.AppendUint16(m, uint16(len(attributes)))
	return append(append(m, attributes...), nlri...)
}

// attribute is one path attribute with a length of its own choice.
func attribute(flags, kind byte, length int, value ...byte) []byte {
	return append([]byte{flags, kind, byte(length)}, value...)
}

// Malformed are UPDATEs that no router should send, by what is wrong with them, and that some do: each has ended some BGP
// speaker. They are to be sent with Router.Send.
func Malformed() map[string][]byte {
	origin, asPath, nextHop := attribute(0x40, 1, 1, 0), attribute(0x40, 2, 6, 2, 1, 0, 0, 0xfb, 0xf0), attribute(0x40, 3, 4, 192, 0, 2, 1)
	foreign := []byte{24, 192, 0, 2}
	with := func(last []byte, nlri ...byte) []byte {
		return update(slices.Concat(origin, asPath, nextHop, last), nlri...)
	}
	cut := func(m []byte, by int) []byte {
		m = m[:len(m)-by]
		binary.BigEndian.PutUint16(m[16:], uint16(len(m)))
		return m
	}
	long := update(nil)
	binary.BigEndian.PutUint16(long[16:], 4097)
	return map[string][]byte{
		"MP_REACH of 3 octets":              with(attribute(0x80, 14, 3, 0, 1, 1)),
		"MP_REACH without next hop":         with(attribute(0x80, 14, 5, 0, 2, 1, 0, 0)),
		"MP_REACH of an unknown family":     with(attribute(0x80, 14, 5, 0xff, 0xff, 0, 0, 0)),
		"MP_UNREACH of 1 octet":             with(attribute(0x80, 15, 1, 0)),
		"attribute beyond the message":      with(attribute(0x40, 8, 200, 1)),
		"attributes beyond the message":     cut(with(nil, foreign...), 20),
		"NEXT_HOP of 0 octets":              update(slices.Concat(origin, asPath, attribute(0x40, 3, 0)), foreign...),
		"NEXT_HOP of 5 octets":              update(slices.Concat(origin, asPath, attribute(0x40, 3, 5, 1, 2, 3, 4, 5)), foreign...),
		"AS_PATH with a segment too long":   update(slices.Concat(origin, attribute(0x40, 2, 6, 2, 200, 0, 0, 0xfb, 0xf0), nextHop), foreign...),
		"AS_PATH with an unknown segment":   update(slices.Concat(origin, attribute(0x40, 2, 6, 77, 1, 0, 0, 0xfb, 0xf0), nextHop), foreign...),
		"no mandatory attribute":            update(nil, foreign...),
		"ORIGIN twice":                      update(slices.Concat(origin, origin, asPath, nextHop), foreign...),
		"NLRI of 33 bits":                   with(nil, 33, 192, 0, 2, 0, 0),
		"NLRI beyond the message":           with(nil, 32, 192),
		"COMMUNITIES of 3 octets":           with(attribute(0xc0, 8, 3, 1, 2, 3), foreign...),
		"LARGE_COMMUNITIES of 11 octets":    with(attribute(0xc0, 32, 11, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0), foreign...),
		"unknown well-known attribute":      with(attribute(0x40, 200, 1, 1), foreign...),
		"AGGREGATOR of 1 octet":             with(attribute(0xc0, 7, 1, 1), foreign...),
		"a message longer than allowed":     long,
		"FlowSpec in MP_REACH, truncated":   with(attribute(0x80, 14, 7, 0, 1, 133, 0, 0, 200, 1)),
		"EVPN in MP_REACH, truncated":       with(attribute(0x80, 14, 9, 0, 25, 70, 4, 1, 2, 3, 4, 0)),
		"a route that is ours, from a peer": with(nil, 24, 198, 51, 100),
	}
}
