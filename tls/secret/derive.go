package secret

import (
	"crypto/hkdf"
	"crypto/sha256"
	"strconv"
)

// The labels of derived keys: HKDF's info (RFC 5869). One that changes makes nodes strangers to those that have the old.
const (
	labelConnectionID = "anyedge 1 connection id"
	labelTunnel       = "anyedge 1 tunnel"
	labelReset        = "anyedge 1 stateless reset"
	labelToken        = "anyedge 1 token"
	labelTicket       = "anyedge 1 ticket " // and the epoch, in decimal
	labelGossip       = "anyedge 1 gossip"
	labelCertificate  = "anyedge 1 certificate"
	labelStorage      = "anyedge 1 certificate storage"
	labelFingerprint  = "anyedge 1 fingerprint"
)

// Rotations is how many config rotations a connection ID can name; the eighth codepoint means unroutable
// (draft-ietf-quic-load-balancers, section 3.1).
const Rotations = 7

// Key is a derived key with the number that says, on the wire, which one it is.
type Key struct {
	ID  uint8
	Key []byte
}

// ConnectionIDKeys are the 16-octet keys of connection IDs, by config rotation. All decode; the first encodes.
func (s *Set) ConnectionIDKeys() []Key {
	return s.keys(labelConnectionID, 16, func(n uint32) uint8 { return uint8(n % Rotations) })
}

// TunnelKeys are the 32-octet roots of the keys between pairs of nodes, by key ID. All open; the first seals.
func (s *Set) TunnelKeys() []Key {
	return s.keys(labelTunnel, 32, func(n uint32) uint8 { return uint8(n) })
}

func (s *Set) keys(label string, size int, id func(number uint32) uint8) (list []Key) {
	for _, secret := range s.all() {
		list = append(list, Key{ID: id(secret.number), Key: secret.derive(label, size)})
	}
	return list
}

// ResetKey is the 32-octet key of stateless resets. A QUIC socket has one for its life, so another one comes into use
// with a restart.
func (s *Set) ResetKey() []byte { return s.current.derive(labelReset, 32) }

// TokenKey is the 32-octet key of address-validation tokens, for a socket's life as ResetKey.
func (s *Set) TokenKey() []byte { return s.current.derive(labelToken, 32) }

// TicketKeys are the 32-octet keys of the session tickets of one epoch, of any length that nodes agree on. All open; the
// first seals.
func (s *Set) TicketKeys(epoch int64) [][]byte {
	return s.octets(labelTicket+strconv.FormatInt(epoch, 10), 32)
}

// GossipKeys are the 32-octet keys of what nodes tell each other. All open; the first seals.
func (s *Set) GossipKeys() [][]byte { return s.octets(labelGossip, 32) }

// CertificateKeys are the 32-octet keys of what nodes tell each other about certificates, private keys included. All open;
// the first seals.
func (s *Set) CertificateKeys() [][]byte { return s.octets(labelCertificate, 32) }

// StorageKeys are the 32-octet keys of what nodes store of certificates, private keys included. All open; the first seals.
func (s *Set) StorageKeys() [][]byte { return s.octets(labelStorage, 32) }

func (s *Set) octets(label string, size int) (list [][]byte) {
	for _, secret := range s.all() {
		list = append(list, secret.derive(label, size))
	}
	return list
}

func (s *secret) derive(label string, size int) []byte {
	key, err := hkdf.Key(sha256.New, s.value[:], nil, label, size)
	if err != nil {
		panic(err) // only a size above 8160 octets fails, and sizes are ours
	}
	return key
}
