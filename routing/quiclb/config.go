package quiclb

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"sync"
)

// The draft's limits, section 3; lengths are in octets.
const (
	MaxConfigID    = 6 // 7 stands for connection IDs that no configuration made
	MaxServerIDLen = 15
	MinNonceLen    = 4
	MaxNonceLen    = 18
	MaxLen         = 20 // of a connection ID in QUIC version 1, RFC 9000 §17.2
	KeyLen         = 16 // of an AES-128 key
)

// Config is what servers and those who route to them share.
type Config struct {
	ID          uint8 // 0 to MaxConfigID
	ServerIDLen int   // octets, 1 to MaxServerIDLen
	NonceLen    int   // octets, MinNonceLen to MaxNonceLen; with ServerIDLen at most 19
	// Key encrypts, KeyLen octets. Without it everybody can read the server ID, and link a client's connection IDs.
	Key []byte
	// TellLength has the first octet tell the length of the connection ID, for those who don't know the configuration;
	// else its low five bits are random.
	TellLength bool
}

// Codec encodes and decodes the connection IDs of one configuration. It never changes; its methods may be called
// concurrently.
type Codec struct {
	id         uint8
	sid, nonce int // octets
	tellLength bool
	block      cipher.Block // nil without a key
	scratch    sync.Pool    // of *scratch
}

// scratch is what one call needs. It comes from a pool since what goes into a cipher.Block escapes.
type scratch struct {
	text        [maxText]byte // server ID and nonce, in the clear or encrypted
	left, right [aes.BlockSize]byte
	in, out     [aes.BlockSize]byte
}

// maxText is the most octets that server ID and nonce may have together.
const maxText = MaxLen - 1

// New returns the codec of a configuration, or an error that says what can't be right.
func New(c Config) (*Codec, error) {
	switch {
	case c.ID > MaxConfigID:
		return nil, fmt.Errorf("quic-lb config %d: must be 0 to %d", c.ID, MaxConfigID)
	case c.ServerIDLen < 1 || c.ServerIDLen > MaxServerIDLen:
		return nil, fmt.Errorf("quic-lb server ID of %d octets: must have 1 to %d", c.ServerIDLen, MaxServerIDLen)
	case c.NonceLen < MinNonceLen || c.NonceLen > MaxNonceLen:
		return nil, fmt.Errorf("quic-lb nonce of %d octets: must have %d to %d", c.NonceLen, MinNonceLen, MaxNonceLen)
	case c.ServerIDLen+c.NonceLen > maxText:
		return nil, fmt.Errorf("quic-lb server ID and nonce of %d octets: at most %d fit into a connection ID", c.ServerIDLen+c.NonceLen, maxText)
	case len(c.Key) != 0 && len(c.Key) != KeyLen:
		return nil, fmt.Errorf("quic-lb key of %d octets: must have %d, or none", len(c.Key), KeyLen)
	}
	codec := &Codec{
		id: c.ID, sid: c.ServerIDLen, nonce: c.NonceLen, tellLength: c.TellLength,
		scratch: sync.Pool{New: func() any { return new(scratch) }},
	}
	if len(c.Key) > 0 {
		block, err := aes.NewCipher(c.Key)
		if err != nil {
			return nil, fmt.Errorf("quic-lb key: %w", err)
		}
		codec.block = block
	}
	return codec, nil
}

// ID is the configuration's.
func (c *Codec) ID() uint8 { return c.id }

// Len is the length of its connection IDs, in octets.
func (c *Codec) Len() int { return 1 + c.sid + c.nonce }

// ServerIDLen is the length of its server IDs, in octets.
func (c *Codec) ServerIDLen() int { return c.sid }

// NonceLen is the length of its nonces, in octets.
func (c *Codec) NonceLen() int { return c.nonce }
