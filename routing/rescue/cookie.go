package rescue

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/anyedge/anyedge/routing/steer"
)

// A connection's timestamps (RFC 7323) say whose it is. From its acceptance on they are, in milliseconds:
//
//	bit   31      30 … 18     17 … 0
//	      free    code      + the time of day
//
// The client echoes them with each segment. An echo is older than now by as long as the client hasn't heard of the owner, which
// keeps silent for 150 s at most before the connection is dead (keep-alive), and clocks differ: so much room is left on both
// sides. Bit 31 is chosen so that timestamps never go back (RFC 7323, section 5, PAWS). Linux takes an even timestamp for one
// in milliseconds, and an odd one, since 6.7, for one in microseconds.
const (
	codeShift = 18
	codes     = 1 << (31 - codeShift)
	// maxSkew is by how much the owner's clock may be ahead, in milliseconds; an echo may be older by 202 s.
	maxSkew = 60_000
)

// code is a node in a timestamp. Two nodes may have the same.
type code uint16

func codeOf(n steer.NodeID) code {
	sum := sha256.Sum256([]byte("anyedge rescue " + n.String()))
	return code(binary.BigEndian.Uint16(sum[:]) % codes)
}

// clock is the time of day as timestamps have it.
func clock(now time.Time) uint32 { return uint32(now.UnixMilli()) }

// stamp returns the timestamp that a connection goes on with, whose timestamp is was now.
func (c code) stamp(now, was uint32) uint32 {
	t := (now + uint32(c)<<codeShift) &^ 1
	if int32(t-was) < 0 {
		t += 1 << 31
	}
	return t
}

// codeIn returns whose code an echo has, if it is one of the fleet's.
func codeIn(echo, now uint32) code {
	return code((echo - now + 1<<codeShift - maxSkew) >> codeShift % codes)
}
