package quiclb

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
)

// Generator makes the connection IDs of one server. Nonces count from a random start and never come twice, section 4.2 of
// the draft; without a key they are random. A server that starts again needs another server ID or configuration, or else
// nonces of so many octets that two random starts don't come near each other: eight do.
// Its methods may be called concurrently.
type Generator struct {
	codec    *Codec
	serverID []byte
	made     atomic.Uint64
	limit    uint64 // of made; 0: beyond what can be counted
	start    uint64
	prefix   []byte // of nonces that have more octets than the counter
}

// ErrExhausted is that every nonce has been used: the configuration must be rotated.
var ErrExhausted = errors.New("quic-lb: all nonces are used: rotate the configuration")

// counterLen is how many octets of a nonce count, at most.
const counterLen = 8

// NewGenerator returns a generator for a server ID of the codec's length.
func NewGenerator(c *Codec, serverID []byte) (*Generator, error) {
	if len(serverID) != c.sid {
		return nil, fmt.Errorf("quic-lb server ID of %d octets: configuration %d has %d", len(serverID), c.id, c.sid)
	}
	g := &Generator{codec: c, serverID: append([]byte(nil), serverID...), prefix: make([]byte, max(c.nonce-counterLen, 0))}
	if c.nonce < counterLen {
		g.limit = 1 << (8 * c.nonce)
	}
	var start [counterLen]byte
	fill(start[:])
	fill(g.prefix)
	g.start = binary.BigEndian.Uint64(start[:])
	return g, nil
}

// fill fills b with random octets; crypto/rand never fails, it ends the process instead.
func fill(b []byte) { _, _ = rand.Read(b) }

// Len is the length of its connection IDs, in octets.
func (g *Generator) Len() int { return g.codec.Len() }

// Append appends a new connection ID. The error is ErrExhausted.
func (g *Generator) Append(dst []byte) ([]byte, error) {
	var random [1 + MaxNonceLen]byte
	if g.codec.block == nil {
		fill(random[:])
		return g.codec.Append(dst, g.serverID, random[1:1+g.codec.nonce], random[0]), nil
	}
	n := g.made.Add(1)
	if g.limit != 0 && n > g.limit {
		g.made.Store(g.limit) // it must not come round
		return dst, ErrExhausted
	}
	fill(random[:1])
	var counter [counterLen]byte
	binary.BigEndian.PutUint64(counter[:], g.start+n)
	nonce := append(append(make([]byte, 0, MaxNonceLen), g.prefix...), counter[max(counterLen-g.codec.nonce, 0):]...)
	return g.codec.Append(dst, g.serverID, nonce, random[0]), nil
}
