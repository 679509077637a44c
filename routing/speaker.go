package routing

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Route is one prefix that is wanted in every peer's table, at a level below Withdrawn.
type Route struct {
	VIP    string       `json:"vip"`
	Prefix netip.Prefix `json:"prefix"`
	Level  Level        `json:"level"`
	// Withheld are the classes of peers that don't get it.
	Withheld []string `json:"withheld,omitempty"`
	// Reason is why the VIP came to that level: for peers that want to know.
	Reason Reason `json:"reason,omitempty"`
	// Blackhole has the peers that take such routes drop what is sent to this one address, RFC 7999.
	Blackhole bool `json:"blackhole,omitempty"`
}

func (r Route) equal(o Route) bool {
	return r.VIP == o.VIP && r.Prefix == o.Prefix && r.Level == o.Level && r.Reason == o.Reason && r.Blackhole == o.Blackhole &&
		slices.Equal(r.Withheld, o.Withheld)
}

// Speaker makes the peers' tables what is wanted. routing/bgp fulfils it.
type Speaker interface {
	// Set announces exactly routes: what is missing is announced, what differs is replaced without a withdrawal
	// between, what isn't listed is withdrawn. It is idempotent. A prefix outside the allow-list is an error
	// that names it, and the other routes are set all the same.
	Set(ctx context.Context, routes []Route) error
	// Peers reports the sessions and what each peer was sent.
	Peers() []Peer
}

// Peer is the state of one BGP session.
type Peer struct {
	Name      string    `json:"name"`
	Address   string    `json:"address"`
	ASN       uint32    `json:"asn"`
	State     string    `json:"state"` // RFC 4271 §8.2.2: idle, connect, active, opensent, openconfirm, established
	Since     time.Time `json:"since"`
	Flaps     int       `json:"flaps"`
	LastError string    `json:"last_error,omitempty"` // what ended the last session, or keeps one from coming up
	AdjOut    []string  `json:"adj_out"`              // prefixes in Adj-RIB-Out
	BFD       *BFD      `json:"bfd,omitempty"`        // nil where it isn't configured
}

// BFD is the state of the BFD session with a peer (RFC 5880), which tells within a second whether it is alive.
type BFD struct {
	State     string    `json:"state"`  // admin-down, down, init, up
	Remote    string    `json:"remote"` // what the peer said last
	Since     time.Time `json:"since,omitzero"`
	Reason    string    `json:"reason"`              // why it is in that state
	Detection float64   `json:"detection,omitempty"` // seconds that the peer may be silent; 0 while it isn't heard
	Failures  int       `json:"failures"`            // how often it went down, but for those that were switched off
	Discarded string    `json:"discarded,omitempty"` // why its last packet that was discarded was
	SendError string    `json:"send_error,omitempty"`
}

// String says in a few words whether the peer is alive.
func (b *BFD) String() string {
	switch {
	case b.State == "up":
		return fmt.Sprintf("BFD up (%s)", time.Duration(b.Detection*float64(time.Second)))
	case b.State == "admin-down":
		return "BFD " + b.Reason
	case b.SendError != "":
		return fmt.Sprintf("BFD %s: %s", b.State, b.SendError)
	case b.Discarded != "":
		return fmt.Sprintf("BFD %s: %s; a packet was discarded: %s", b.State, b.Reason, b.Discarded)
	}
	return fmt.Sprintf("BFD %s: %s", b.State, b.Reason)
}
