package steer

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// clientLen is what stands before a datagram in the encrypted part: the client's port and address.
const (
	clientLen4 = 2 + 4
	clientLen6 = 2 + 16
)

// pair encrypts what goes to one peer and decrypts what comes from it, each under keys of its own, so that nothing can be
// sent back to where it came from. It never changes and may be used concurrently.
type pair struct {
	sealKey uint8
	seal    cipher.AEAD
	open    map[uint8]cipher.AEAD // by key ID
}

// newPair derives the keys between two nodes.
func newPair(k Keys, self, peer NodeID) (*pair, error) {
	p := &pair{sealKey: k.TunnelKey, open: map[uint8]cipher.AEAD{}}
	for id, root := range k.Tunnel {
		if len(root) != TunnelKeyLen {
			return nil, fmt.Errorf("tunnel key %d of %d octets: must have %d", id, len(root), TunnelKeyLen)
		}
		p.open[id] = pairKey(root, peer, self)
	}
	root, ok := k.Tunnel[k.TunnelKey]
	if !ok {
		return nil, fmt.Errorf("tunnel with key %d: there is none", k.TunnelKey)
	}
	p.seal = pairKey(root, self, peer)
	return p, nil
}

// pairKey is AES-128-GCM under the key of one direction.
func pairKey(root []byte, from, to NodeID) cipher.AEAD {
	block, err := aes.NewCipher(derive(root, "tunnel "+from.String()+" to "+to.String(), 16))
	if err != nil {
		panic(err) // only for another length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only for another block size
	}
	return aead
}

// appendDatagram appends a client's datagram to b, encrypted. h needs its VIP, marks, epoch and counter.
func (p *pair) appendDatagram(b []byte, h header, client netip.AddrPort, data []byte) []byte {
	start := len(b)
	h.kind, h.key, h.v6 = datagram, p.sealKey, client.Addr().Is6()
	b = h.append(b)
	b = binary.BigEndian.AppendUint16(b, client.Port())
	if h.v6 {
		a := client.Addr().As16()
		b = append(b, a[:]...)
	} else {
		a := client.Addr().As4()
		b = append(b, a[:]...)
	}
	return p.sealFrom(append(b, data...), start)
}

// appendMessage appends a message of another kind to b, encrypted.
func (p *pair) appendMessage(b []byte, h header, content []byte) []byte {
	start := len(b)
	h.key = p.sealKey
	return p.sealFrom(append(h.append(b), content...), start)
}

// sealFrom encrypts b from start on, where there is a header, in place.
func (p *pair) sealFrom(b []byte, start int) []byte {
	head := b[start : start+headerLen]
	return p.seal.Seal(b[:start+headerLen], head[noncePlace:], b[start+headerLen:], head)
}

// decrypt decrypts b, whose header is h, in place and returns what was encrypted.
func (p *pair) decrypt(h header, b []byte) ([]byte, Refusal) {
	aead := p.open[h.key]
	if aead == nil {
		return nil, UnknownKey
	}
	text, err := aead.Open(b[headerLen:headerLen], b[noncePlace:headerLen], b[headerLen:], b[:headerLen])
	if err != nil {
		return nil, Forged
	}
	return text, Accepted
}

// parseDatagram takes what was encrypted apart.
func parseDatagram(h header, text []byte) (client netip.AddrPort, data []byte, _ Refusal) {
	n := clientLen4
	if h.v6 {
		n = clientLen6
	}
	if len(text) <= n {
		return netip.AddrPort{}, nil, Truncated
	}
	a, _ := netip.AddrFromSlice(text[2:n]) // of 4 or 16 octets
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(text)), text[n:], Accepted
}
