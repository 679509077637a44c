package steer

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"strconv"

	"github.com/anyedge/anyedge/routing/quiclb"
)

// Lengths of keys, in octets.
const (
	MinRootLen   = 16
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

// DeriveKeys returns the keys of a secret that all nodes have, of at least MinRootLen octets. index, 0 to
// quiclb.MaxConfigID, tells the keys of one secret from those of the one that replaces it.
func DeriveKeys(root []byte, index uint8) (Keys, error) {
	if len(root) < MinRootLen {
		return Keys{}, fmt.Errorf("fleet secret of %d octets: must have at least %d", len(root), MinRootLen)
	}
	if index > quiclb.MaxConfigID {
		return Keys{}, fmt.Errorf("index %d of the fleet secret: must be 0 to %d", index, quiclb.MaxConfigID)
	}
	suffix := " " + strconv.Itoa(int(index))
	return Keys{
		CID:       map[uint8][]byte{index: derive(root, "connection ID"+suffix, quiclb.KeyLen)},
		CIDConfig: index,
		Tunnel:    map[uint8][]byte{index: derive(root, "tunnel"+suffix, TunnelKeyLen)},
		TunnelKey: index,
		Reset:     derive(root, "stateless reset", ResetKeyLen),
	}, nil
}

// derive derives length octets of a key for one purpose, by HKDF (RFC 5869).
func derive(key []byte, purpose string, length int) []byte {
	b, err := hkdf.Key(sha256.New, key, nil, "anyedge steer "+purpose, length)
	if err != nil {
		panic(err) // only for lengths that no purpose has
	}
	return b
}
