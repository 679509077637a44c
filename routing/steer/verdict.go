package steer

// Verdict says what becomes of a datagram that came to a VIP, and why.
type Verdict uint8

// The verdicts. The first ones go to quic-go, the next three elsewhere; two are answered here, the others are dropped.
const (
	// Own is of a connection of this transport.
	Own Verdict = iota
	// Initial is a long header whose connection ID is no living server's: a client begins, or speaks another version.
	Initial

	// OtherWorker is of a connection of another socket of this address in this process, and is handed to it.
	OtherWorker
	// Forwarded goes to its owner through the tunnel.
	Forwarded

	// Former is of the process before this one, which still has connections: it is handed to that.
	Former

	// OldGeneration is of an earlier process of this node, which is gone: it is answered with a stateless reset.
	OldGeneration
	// DeadOwner is of a node that is known to be dead: it is answered with a stateless reset.
	DeadOwner

	// UnknownOwner is of a node that isn't known here. It is never answered: this node may be the one that lags.
	UnknownOwner
	// Unroutable is a short header whose connection ID isn't the fleet's, or not of a configuration in force here.
	// It is never answered either.
	Unroutable
	// TooShort can't be a packet of QUIC with a connection ID of the fleet's.
	TooShort
	// TooLong doesn't fit through the tunnel. It is dropped wherever it comes in, so that a client that looks for its
	// path's MTU (RFC 9000, section 14.3) finds one that holds wherever its packets go.
	TooLong
	// NotQUIC has none of the bits that QUIC's packets have.
	NotQUIC
	// Limited is above what may be forwarded to one node, answered with stateless resets, or wait for another worker.
	Limited
	verdicts // how many there are
)

// verdictNames are the values of the metric's label.
var verdictNames = [verdicts]string{
	Own: "own", Initial: "initial", OtherWorker: "other_worker", Forwarded: "forwarded", Former: "former",
	OldGeneration: "old_generation", DeadOwner: "dead_owner",
	UnknownOwner: "unknown_owner", Unroutable: "unroutable", TooShort: "too_short", TooLong: "too_long", NotQUIC: "not_quic",
	Limited: "limited",
}

// String is the value of the metric's label.
func (v Verdict) String() string {
	if v >= verdicts {
		return "unknown"
	}
	return verdictNames[v]
}

// delivered says whether it goes to quic-go.
func (v Verdict) delivered() bool { return v <= Initial }

// reset says whether it is answered with a stateless reset.
func (v Verdict) reset() bool { return v == DeadOwner || v == OldGeneration }
