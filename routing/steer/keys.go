package steer

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// Lengths of keys, in octets.
const (
	TunnelKeyLen = 32
	ResetKeyLen  = 32
)

// Keys are what the nodes of a fleet share. To replace one without losing a connection, every node gets the new one
// beside the old one first, and only then any is told to use it.
type Keys struct {
	// CID has the keys of connection IDs by QUIC-LB configuration, 0 to quiclb.MaxConfigID, of quiclb.KeyLen octets each.
	CID map[uint8][]byte
	// CIDConfig is the configuration of new connection IDs.
	CIDConfig uint8
	// Tunnel has what the tunnel's keys are derived from, by key ID, TunnelKeyLen octets each.
	Tunnel map[uint8][]byte
	// TunnelKey is the key ID of what is sent.
	TunnelKey uint8
	// Reset makes stateless reset tokens (RFC 9000, section 10.3.2): ResetKeyLen octets.
	Reset []byte
}

// derive derives length octets of a key for one purpose, by HKDF (RFC 5869).
func derive(key []byte, purpose string, length int) []byte {
	b, err := hkdf.Key(sha256.New, key, nil, "anyedge steer "+purpose, length)
	if err != nil {
		panic(err) // only for lengths that no purpose has
	}
	return b
}
