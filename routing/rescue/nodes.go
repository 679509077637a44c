package rescue

import (
	"slices"

	"github.com/anyedge/anyedge/routing/steer"
)

// nodes are those that may own a connection, by code. It never changes.
type nodes struct {
	self   steer.NodeID
	code   code // self's
	byCode map[code][]steer.NodeID
	metro  []steer.NodeID // the others of self's metro
	others []steer.NodeID // all others
}

func newNodes(self steer.NodeID, peers []steer.PeerStatus) *nodes {
	n := &nodes{self: self, code: codeOf(self), byCode: map[code][]steer.NodeID{}}
	if n.numbered() {
		n.byCode[n.code] = append(n.byCode[n.code], self)
	}
	for _, p := range peers {
		c := codeOf(p.ID)
		n.byCode[c] = append(n.byCode[c], p.ID)
		if p.Dead {
			continue
		}
		n.others = append(n.others, p.ID)
		if p.ID.Metro == self.Metro {
			n.metro = append(n.metro, p.ID)
		}
	}
	return n
}

// numbered says whether this node has its numbers already.
func (n *nodes) numbered() bool { return n.self != steer.NodeID{} }

// marked returns who may have marked a segment's connection. This node is among them only if it is alone: it hasn't got the
// connection, or the segment wouldn't be here.
func (n *nodes) marked(s *segment, now uint32) []steer.NodeID {
	if !s.echoes || s.flags&flagACK == 0 {
		return nil
	}
	list := n.byCode[codeIn(s.echo, now)]
	if len(list) > 1 {
		return slices.DeleteFunc(slices.Clone(list), func(id steer.NodeID) bool { return id == n.self })
	}
	return list
}
