package fleet

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/anyedge/anyedge/routing/fleet/gossip"
)

// Status is the fleet as this node sees it.
type Status struct {
	Address  netip.AddrPort `json:"address"`   // where this node gossips
	ServerID string         `json:"server_id"` // METRO/HOST/GENERATION; empty while it has none
	Problem  string         `json:"problem,omitempty"`
	Seeds    []gossip.Seed  `json:"seeds"`
	Members  []MemberStatus `json:"members"`
	// Strangers are those who speak without the fleet's secret, Unread how much came from all of them.
	Strangers []gossip.Stranger `json:"strangers,omitempty"`
	Unread    uint64            `json:"unread"`
}

// MemberStatus is another node of the fleet.
type MemberStatus struct {
	Name     string         `json:"name"`
	Metro    string         `json:"metro,omitempty"`
	Version  string         `json:"version,omitempty"`
	State    gossip.Status  `json:"state"`
	Since    time.Time      `json:"since"`
	Address  netip.AddrPort `json:"address"` // where it gossips
	ServerID string         `json:"server_id,omitempty"`
	Tunnel   string         `json:"tunnel,omitempty"`
	RTT      time.Duration  `json:"rtt_ns,omitempty"` // of its last answer to this node's gossip
	Heard    time.Time      `json:"heard,omitzero"`
	// VerifiedBy are the nodes, this one among them, whom its data plane has lately answered for every VIP.
	VerifiedBy []string `json:"verified_by"`
	// PurgesMissing is how many purges it has yet to carry out that this node has.
	PurgesMissing uint64 `json:"purges_missing,omitempty"`
	Problem       string `json:"problem,omitempty"`
}

// Status is the fleet now.
func (f *Fleet) Status() *Status {
	s := &Status{Address: f.mesh.Address(), Seeds: f.mesh.Seeds(), Members: []MemberStatus{}}
	s.Strangers, s.Unread = f.mesh.Strangers()
	id, err := f.ServerID()
	if err != nil {
		s.Problem = err.Error()
	} else {
		s.ServerID = id.String()
	}
	voices, own := f.heard.voices(), f.config.Others.Verified()
	for _, v := range voices {
		s.Members = append(s.Members, f.memberStatus(v, voices, own))
	}
	return s
}

func (f *Fleet) memberStatus(v *voice, all []*voice, own []string) MemberStatus {
	m := MemberStatus{
		Name: v.Name, State: v.Status, Since: v.Since, Address: v.Address, RTT: v.RTT, Heard: v.Heard, Problem: v.problem,
		VerifiedBy: []string{},
	}
	if slices.Contains(own, v.Name) {
		m.VerifiedBy = append(m.VerifiedBy, f.config.Name)
	}
	for _, by := range all {
		if by.record != nil && by.Status == gossip.Alive && slices.Contains(by.record.Verified, v.Name) {
			m.VerifiedBy = append(m.VerifiedBy, by.Name)
		}
	}
	if r := v.record; r != nil {
		m.Metro, m.Version, m.PurgesMissing = r.Metro, r.Version, f.purger.missing(r.Purges)
		if r.Claim.Host != 0 {
			m.ServerID = r.Claim.String()
		}
		if r.Tunnel.IsValid() {
			m.Tunnel = r.Tunnel.String()
		}
	}
	return m
}

// String is METRO/HOST/GENERATION.
func (s ServerID) String() string { return fmt.Sprintf("%d/%d/%d", s.Metro, s.Host, s.Generation) }

// Peer is another node as steering needs it.
type Peer struct {
	Name   string
	ID     ServerID
	Tunnel netip.AddrPort // the zero value: it takes no packets
	Status gossip.Status
	Since  time.Time // that it has this status
	// Verified are how many nodes, this one among them, its data plane has lately answered.
	Verified int
}

// Peers are the other nodes with their numbers, by name.
func (f *Fleet) Peers() []Peer {
	var list []Peer
	voices, own := f.heard.voices(), f.config.Others.Verified()
	for _, v := range voices {
		if v.record != nil && v.record.Claim.Host != 0 {
			by := f.memberStatus(v, voices, own).VerifiedBy
			list = append(list, Peer{v.Name, v.record.Claim.ServerID, v.record.Tunnel, v.Status, v.Since, len(by)})
		}
	}
	return list
}
