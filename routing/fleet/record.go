package fleet

import (
	"math"
	"net/netip"
	"time"

	"github.com/anyedge/anyedge/routing"
)

// Record is what a node tells all others of itself. It is the state that the node publishes by gossip.
type Record struct {
	Version string // of anyedge
	Metro   string
	Started time.Time
	// Address is the node's own unicast address, at which its data plane must answer.
	Address netip.Addr
	// Tunnel is where it takes packets of connections that it owns; the zero value: nowhere.
	Tunnel netip.AddrPort
	Claim  Claim
	Report routing.Report
	// Verified are the nodes whose data planes have lately answered this one, for every VIP.
	Verified []string
	// Purges says up to which purge of each node this one has carried them all out.
	Purges []PurgeMark
}

// PurgeMark says what of a node's purges another one has.
type PurgeMark struct {
	Stream
	// Kept is the first that can still be had here, Last the last that was carried out; Kept is above Last where none is kept.
	Kept, Last uint64
	At         time.Time // of the last one
}

// Stream is the purges that one node began with one memory: a node that has lost it begins another stream.
type Stream struct {
	Node  string
	Epoch uint64 // when it began, in nanoseconds of its clock
}

// coarse rounds a figure that changes all the time to a sixteenth of its power of two, so that the record doesn't.
func coarse(v float64) float64 {
	if v <= 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return min(v, 0)
	}
	fraction, power := math.Frexp(v)
	return math.Round(math.Ldexp(math.Floor(fraction*32)/32, power))
}
