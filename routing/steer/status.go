package steer

import (
	"net/netip"
	"time"
)

// PeerStatus is what is known of another node, and what was done with it since this process started.
type PeerStatus struct {
	Name   string
	ID     NodeID
	Tunnel netip.AddrPort
	Dead   bool          // this node answers for its connections
	Silent time.Duration // since it last answered, or became known
	RTT    time.Duration // smoothed; 0: it has never answered
	PMTU   int           // octets that an IP packet to it may have; 0: not known yet
	// Datagrams and octets sent to it, datagrams taken from it, and messages that the host couldn't send.
	Forwarded, ForwardedBytes, Injected, SendErrors uint64
}

// Peers is the state of the other nodes, in the order that they were given.
func (s *Steerer) Peers() []PeerStatus {
	t, now := s.table.Load(), time.Now()
	var list []PeerStatus
	for _, p := range t.list {
		list = append(list, PeerStatus{
			Name: p.Name, ID: p.ID, Tunnel: p.Tunnel, Dead: p.state.dead.Load(), Silent: p.silence(now),
			RTT: time.Duration(p.state.rtt.Load()), PMTU: int(p.state.mtu.Load()),
			Forwarded: p.state.forwarded.Load(), ForwardedBytes: p.state.forwardedBytes.Load(),
			Injected: p.state.injected.Load(), SendErrors: p.state.sendErrors.Load(),
		})
	}
	return list
}

// Verdicts is how many datagrams came to each VIP's address, by verdict.
func (s *Steerer) Verdicts() map[netip.AddrPort]map[Verdict]uint64 {
	all := map[netip.AddrPort]map[Verdict]uint64{}
	s.each(func(c *Conn) {
		if all[c.vip] == nil {
			all[c.vip] = map[Verdict]uint64{}
		}
		for v := range verdicts {
			all[c.vip][v] += c.verdicts[v].Load()
		}
	})
	return all
}

// Refused is how many messages of the tunnel were dropped, by reason.
func (s *Steerer) Refused() map[Refusal]uint64 {
	counts := map[Refusal]uint64{}
	for r := Accepted + 1; r < refusals; r++ {
		counts[r] = s.refused[r].Load()
	}
	return counts
}
