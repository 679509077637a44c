package steer

// Refusal says why something that came through the tunnel was dropped.
type Refusal uint8

// The refusals.
const (
	// Accepted isn't one.
	Accepted Refusal = iota
	// Truncated is too short for what it says it is.
	Truncated
	// WrongVersion is of a format that this version doesn't know.
	WrongVersion
	// UnknownPeer came from an address that is no node's.
	UnknownPeer
	// UnknownKey is under a key that this node hasn't got.
	UnknownKey
	// Forged doesn't decrypt: a wrong secret, or an attacker.
	Forged
	// OtherEpoch is of a process of the peer's that hasn't been met yet, or is gone.
	OtherEpoch
	// Replayed came before, or so late that it can't be told.
	Replayed
	// UnknownVIP is for an address that this node doesn't serve.
	UnknownVIP
	// Loop is not this node's: a datagram goes through one tunnel at most.
	Loop
	// Overflow found the socket's queue full.
	Overflow
	// NoRescue is of a TCP connection, and this node has fleet.tcp_rescue off.
	NoRescue
	refusals // how many there are
)

var refusalNames = [refusals]string{
	Accepted: "accepted", Truncated: "truncated", WrongVersion: "version", UnknownPeer: "unknown_peer", UnknownKey: "unknown_key",
	Forged: "forged", OtherEpoch: "other_epoch", Replayed: "replayed", UnknownVIP: "unknown_vip", Loop: "loop", Overflow: "overflow", NoRescue: "no_rescue",
}

// String is the value of the metric's label.
func (r Refusal) String() string {
	if r >= refusals {
		return "unknown"
	}
	return refusalNames[r]
}
