package rescue

import (
	"encoding/binary"
	"net/netip"
)

// word is what nodes ask each other, and its answer:
//
//	octet  0     1         3      5           9 or 21    13 or 37
//	       ├─────┼─────────┼──────┼───────────┼──────────┤
//	       │kind │ client's│ VIP's│ client's  │ VIP's    │
//	       │     │ port    │ port │ address   │ address  │
//	       └─────┴─────────┴──────┴───────────┴──────────┘
type word struct {
	kind wordKind
	flow flow
}

type wordKind uint8

const (
	whose wordKind = iota + 1 // who has the connection?
	mine                      // I have
)

const wordHead = 1 + 2 + 2

func question(f flow) word { return word{whose, f} }

func (w word) append(b []byte) []byte {
	b = append(b, byte(w.kind))
	b = binary.BigEndian.AppendUint16(b, w.flow.client.Port())
	b = binary.BigEndian.AppendUint16(b, w.flow.vip.Port())
	b = append(b, w.flow.client.Addr().AsSlice()...)
	return append(b, w.flow.vip.Addr().AsSlice()...)
}

func parseWord(b []byte) (word, bool) {
	n := (len(b) - wordHead) / 2
	if len(b) != wordHead+2*n || n != 4 && n != 16 {
		return word{}, false
	}
	kind := wordKind(b[0])
	if kind != whose && kind != mine {
		return word{}, false
	}
	client, _ := netip.AddrFromSlice(b[wordHead : wordHead+n]) // of 4 or 16 octets
	vip, _ := netip.AddrFromSlice(b[wordHead+n:])
	return word{kind, flow{
		client: netip.AddrPortFrom(client, binary.BigEndian.Uint16(b[1:])),
		vip:    netip.AddrPortFrom(vip, binary.BigEndian.Uint16(b[3:])),
	}}, true
}
