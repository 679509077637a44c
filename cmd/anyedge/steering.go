package main

import (
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/proxy/listener"
	"github.com/anyedge/anyedge/routing/steer"
	"github.com/anyedge/anyedge/tls/secret"
)

// steerKeys are the keys that steering needs of the fleet's.
func steerKeys(s *secret.Set) steer.Keys {
	k := steer.Keys{CID: map[uint8][]byte{}, Tunnel: map[uint8][]byte{}, Reset: s.ResetKey()}
	cids, tunnels := s.ConnectionIDKeys(), s.TunnelKeys()
	k.CIDConfig, k.TunnelKey = cids[0].ID, tunnels[0].ID
	for _, c := range cids {
		k.CID[c.ID] = c.Key
	}
	for _, t := range tunnels {
		k.Tunnel[t.ID] = t.Key
	}
	return k
}

// steering is a Steerer as listeners see it.
type steering struct{ *steer.Steerer }

// Wrap returns what reads a VIP's socket.
func (s steering) Wrap(socket *net.UDPConn, vip netip.AddrPort, worker uint8) (listener.Reader, error) {
	return s.Steerer.Wrap(socket, vip, worker)
}

// SteeringStatus is what became of the QUIC datagrams that came to the VIPs, and of what came through the tunnel.
type SteeringStatus struct {
	Nodes []SteeredNode `json:"nodes"`
	// Datagrams are those that came to the VIPs, by verdict.
	Datagrams map[string]uint64 `json:"datagrams"`
	// Refused are messages of other nodes that were dropped, by reason.
	Refused map[string]uint64 `json:"refused"`
	// Detoured are the clients whose datagrams come by other nodes now.
	Detoured int `json:"detoured"`
}

// SteeredNode is another node, as the tunnel to it is.
type SteeredNode struct {
	Name      string        `json:"name"`
	State     string        `json:"state"` // up; silent: it doesn't answer; dead: its clients are told so
	ID        string        `json:"id"`
	Tunnel    string        `json:"tunnel"`
	RTT       time.Duration `json:"rtt"`  // in nanoseconds; 0: not known
	PMTU      int           `json:"pmtu"` // in octets; 0: not known
	Forwarded uint64        `json:"forwarded"`
	Injected  uint64        `json:"injected"`
	Errors    uint64        `json:"send_errors"`
}

// silentAfter is when a node that doesn't answer is called so.
const silentAfter = time.Second

func (n *node) steeringStatus() *SteeringStatus {
	if n.steering == nil {
		return nil
	}
	s := &SteeringStatus{Nodes: []SteeredNode{}, Datagrams: map[string]uint64{}, Refused: map[string]uint64{}}
	for _, p := range n.steering.Peers() {
		state := "up"
		switch {
		case p.Dead:
			state = "dead"
		case p.Silent >= silentAfter:
			state = "silent"
		}
		s.Nodes = append(s.Nodes, SteeredNode{
			Name: p.Name, State: state, ID: p.ID.String(), Tunnel: p.Tunnel.String(), RTT: p.RTT, PMTU: p.PMTU,
			Forwarded: p.Forwarded, Injected: p.Injected, Errors: p.SendErrors,
		})
	}
	for _, verdicts := range n.steering.Verdicts() {
		for v, count := range verdicts {
			s.Datagrams[v.String()] += count
		}
	}
	for _, count := range n.steering.Detours() {
		s.Detoured += count
	}
	for r, count := range n.steering.Refused() {
		s.Refused[r.String()] += count
	}
	return s
}

// rows are the lines of the status: the nodes, and what became of datagrams.
func (s *SteeringStatus) rows() (rows []string) {
	if s == nil {
		return nil
	}
	for _, p := range s.Nodes {
		rows = append(rows, fmt.Sprintf("steer\t%s\t%s\trtt %s\tpmtu %d, forwarded %d, injected %d, send errors %d, tunnel %s",
			p.Name, p.State, p.RTT.Round(10*time.Microsecond), p.PMTU, p.Forwarded, p.Injected, p.Errors, p.Tunnel))
	}
	return append(rows, "steer\tdatagrams\t\t\t"+counted(s.Datagrams)+"; refused: "+counted(s.Refused)+
		fmt.Sprintf("; %d clients on a detour", s.Detoured))
}

// counted lists counts that aren't zero.
func counted(counts map[string]uint64) string {
	var list []string
	for what, n := range counts {
		if n > 0 {
			list = append(list, fmt.Sprintf("%s %d", what, n))
		}
	}
	slices.Sort(list)
	return firstOf(strings.Join(list, ", "), "none")
}

// sameSteering says whether a reload can lead from was to is: only the other nodes may differ.
func sameSteering(was, is *steer.Options) bool {
	if was == nil || is == nil {
		return was == is
	}
	a, b := *was, *is
	a.Nodes, b.Nodes = nil, nil
	return reflect.DeepEqual(a, b)
}
