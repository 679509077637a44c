package bfd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

const (
	version      = 1
	packetLength = 24 // of a packet without authentication
)

// The flags of the second octet (RFC 5880 §4.1), below the state.
const (
	flagPoll           = 1 << 5
	flagFinal          = 1 << 4
	flagIndependent    = 1 << 3
	flagAuthentication = 1 << 2
	flagDemand         = 1 << 1
	flagMultipoint     = 1 << 0
)

// Packet is a BFD Control packet without authentication (RFC 5880 §4.1). Its times are whole microseconds.
type Packet struct {
	State       State
	Diagnostic  Diagnostic
	Poll, Final bool // asks for an answer at once, is one
	Independent bool // the sender's BFD outlives its control plane
	Demand      bool // the sender wants no periodic packets while both are Up
	Multiplier  uint8
	Mine, Yours uint32        // discriminators: the sender's, and the one it has heard
	MinTx       time.Duration // the sender would like to send that often
	MinRx       time.Duration // it can receive that often; 0: it wants no periodic packets
	MinEchoRx   time.Duration // 0: it returns no echo packets
}

// Why a packet is discarded (RFC 5880 §6.8.6).
var (
	errShort          = fmt.Errorf("shorter than %d octets", packetLength)
	errLength         = errors.New("its length isn't that of a packet, or more than there is")
	errAuthentication = errors.New("it is authenticated, which this system doesn't do")
	errMultiplier     = errors.New("a detection multiplier of 0")
	errMultipoint     = errors.New("the multipoint bit is set")
	errPollFinal      = errors.New("it is a poll and its answer at once")
	errMine           = errors.New("no discriminator of its sender's")
	errYours          = errors.New("in state init or up without our discriminator")
)

// Parse reads a packet. The error says why RFC 5880 §6.8.6 has it discarded, as far as that needs no session. What follows
// the packet within b is ignored, as its length field says.
func Parse(b []byte) (Packet, error) {
	if len(b) < packetLength {
		return Packet{}, errShort
	}
	flags := b[1]
	p := Packet{
		State: State(b[1] >> 6), Diagnostic: Diagnostic(b[0] & 0x1f), Multiplier: b[2],
		Poll: flags&flagPoll != 0, Final: flags&flagFinal != 0, Independent: flags&flagIndependent != 0, Demand: flags&flagDemand != 0,
		Mine: binary.BigEndian.Uint32(b[4:]), Yours: binary.BigEndian.Uint32(b[8:]),
		MinTx: microseconds(b[12:]), MinRx: microseconds(b[16:]), MinEchoRx: microseconds(b[20:]),
	}
	switch {
	case b[0]>>5 != version:
		return Packet{}, fmt.Errorf("version %d", b[0]>>5)
	case int(b[3]) < packetLength || int(b[3]) > len(b):
		return Packet{}, errLength
	case flags&flagAuthentication != 0:
		return Packet{}, errAuthentication
	case p.Multiplier == 0:
		return Packet{}, errMultiplier
	case flags&flagMultipoint != 0:
		return Packet{}, errMultipoint
	case p.Poll && p.Final: // §6.5: never both
		return Packet{}, errPollFinal
	case p.Mine == 0:
		return Packet{}, errMine
	case p.Yours == 0 && p.State >= Init:
		return Packet{}, errYours
	}
	return p, nil
}

// Append appends p's 24 octets to b.
func (p Packet) Append(b []byte) []byte {
	flags := byte(p.State) << 6
	for _, f := range []struct {
		set bool
		bit byte
	}{{p.Poll, flagPoll}, {p.Final, flagFinal}, {p.Independent, flagIndependent}, {p.Demand, flagDemand}} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(b, version<<5|byte(p.Diagnostic)&0x1f, flags, p.Multiplier, packetLength)
	b = binary.BigEndian.AppendUint32(b, p.Mine)
	b = binary.BigEndian.AppendUint32(b, p.Yours)
	for _, d := range []time.Duration{p.MinTx, p.MinRx, p.MinEchoRx} {
		b = binary.BigEndian.AppendUint32(b, uint32(d/time.Microsecond))
	}
	return b
}

func microseconds(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}
