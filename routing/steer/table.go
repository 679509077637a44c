package steer

import (
	"fmt"
	"net/netip"
)

// table is who owns what. It never changes: Update makes another.
type table struct {
	self   ServerID
	keys   Keys
	ids    *ids
	peers  map[NodeID]*peer
	byAddr map[netip.AddrPort]*peer
	list   []*peer // in the order that they were given
}

// newTable returns the table of peers under keys. Those that were in before keep their state.
func newTable(o *Options, self ServerID, now stamps, k Keys, peers []Peer, before *table) (*table, error) {
	t := &table{self: self, keys: k, peers: map[NodeID]*peer{}, byAddr: map[netip.AddrPort]*peer{}}
	for _, p := range peers {
		p.Tunnel = netip.AddrPortFrom(p.Tunnel.Addr().Unmap(), p.Tunnel.Port())
		switch {
		case p.ID == self.NodeID:
			return nil, fmt.Errorf("node %s has metro and host %v, which are this node's own: give each node a host number of its own", p.Name, p.ID)
		case t.peers[p.ID] != nil:
			return nil, fmt.Errorf("nodes %s and %s both have metro and host %v: give each a host number of its own", t.peers[p.ID].Name, p.Name, p.ID)
		case t.byAddr[p.Tunnel] != nil:
			return nil, fmt.Errorf("nodes %s and %s both have the tunnel address %v", t.byAddr[p.Tunnel].Name, p.Name, p.Tunnel)
		}
		pair, err := newPair(k, self.NodeID, p.ID)
		if err != nil {
			return nil, err
		}
		made := &peer{Peer: p, pair: pair, state: before.state(p)}
		if made.state == nil {
			made.state = newPeerState(now, o.Rate)
		}
		t.peers[p.ID], t.byAddr[p.Tunnel] = made, made
		t.list = append(t.list, made)
	}
	return t, nil
}

// state is what is known of p, if it is the node that it was.
func (t *table) state(p Peer) *peerState {
	if t == nil || t.peers[p.ID] == nil || t.peers[p.ID].Tunnel != p.Tunnel {
		return nil
	}
	return t.peers[p.ID].state
}
