package steer

import (
	"net/netip"
	"strconv"

	"github.com/anyedge/anyedge/routing/quiclb"
)

// Reader reads connection IDs as the sockets do.
type Reader struct {
	ids    *ids
	worker uint8
	classifier
}

// NewReader returns a reader of k's connection IDs; those that it makes are self's.
func NewReader(k Keys, self ServerID) (*Reader, error) {
	i, err := newIDs(k, self)
	return &Reader{ids: i, worker: self.Worker}, err
}

// Make makes a connection ID.
func (r *Reader) Make() []byte {
	b, err := r.ids.generators[r.worker].Append(nil)
	if err != nil {
		panic(err)
	}
	return b
}

var kindNames = [...]string{
	kindRouted: "routed", kindInitial: "initial", kindUnroutable: "unroutable", kindTooShort: "too short", kindNotQUIC: "not QUIC",
}

// Classify returns the kind of datagram, by name, and its owner.
func (r *Reader) Classify(b []byte) (string, ServerID) {
	k, id := r.classify(r.ids, b)
	return kindNames[k], id
}

// DeriveKeys returns keys that secret gives under one ID.
func DeriveKeys(secret []byte, id uint8) Keys {
	return Keys{
		CID: map[uint8][]byte{id: derive(secret, "test connection ID "+strconv.Itoa(int(id)), quiclb.KeyLen)}, CIDConfig: id,
		Tunnel: map[uint8][]byte{id: derive(secret, "test tunnel "+strconv.Itoa(int(id)), TunnelKeyLen)}, TunnelKey: id,
		Reset: derive(secret, "test reset", ResetKeyLen),
	}
}

// TagOf is what stands for an address of a VIP in the tunnel.
func TagOf(vip string) string {
	tag := tagOf(netip.MustParseAddrPort(vip))
	return string(tag[:])
}
