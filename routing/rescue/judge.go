package rescue

import (
	"time"

	"github.com/anyedge/anyedge/routing/steer"
)

// tunnel sends segments and questions to other nodes. Its methods are one goroutine's.
type tunnel interface {
	// Send sends a segment with the next Flush at the latest.
	Send(to steer.NodeID, s steer.Segment) steer.Verdict
	Flush()
	// Ask asks each of a list; false: that is too much, for the client's network or in all.
	Ask(list []steer.NodeID, s steer.Segment, question []byte) bool
}

// judge decides whose segments are. Its owner is one goroutine.
type judge struct {
	tunnel tunnel
	flows  *flows
}

// take sends a segment where it belongs and says where that was. now is the clock's.
func (j *judge) take(n *nodes, b []byte, now time.Time) Verdict {
	s, ok := parse(b)
	if !ok {
		return Odd
	}
	switch owners := n.marked(&s, clock(now)); len(owners) {
	case 0:
		return j.search(n.metro, n.others, &s, b, now)
	case 1:
		if owners[0] == n.self {
			return Lost
		}
		return j.send(Marked, owners[0], &s, b)
	default:
		return j.search(nil, owners, &s, b, now)
	}
}

// search looks for a segment's owner: near by, then everywhere. Only what may be of a living connection makes anybody ask.
func (j *judge) search(near, all []steer.NodeID, s *segment, b []byte, now time.Time) Verdict {
	q := j.flows.look(s.flow)
	since := now.Sub(q.at)
	switch {
	case q.asked == answered && since < answerHolds:
		return j.send(Found, q.owner, s, b)
	case len(all) == 0 || !s.plausible():
		return Unclaimed
	case q.asked == askedAll && since >= fleetWait && since < nobodyHolds:
		return Unclaimed
	case q.asked == askedAll && since < fleetWait, q.asked == askedMetro && since < metroWait:
		return Asked
	case q.asked != askedMetro && len(near) > 0:
		return j.ask(near, askedMetro, s, b, now)
	}
	return j.ask(all, askedAll, s, b, now)
}

func (j *judge) ask(list []steer.NodeID, whom asked, s *segment, b []byte, now time.Time) Verdict {
	was := j.flows.ask(s.flow, whom, now) // before: the answer may come at once
	if !j.tunnel.Ask(list, steer.Segment{Client: s.client.Addr(), Packet: b}, question(s.flow).append(nil)) {
		j.flows.retract(s.flow, whom, was)
		return Limited
	}
	return Asked
}

func (j *judge) send(v Verdict, owner steer.NodeID, s *segment, b []byte) Verdict {
	switch j.tunnel.Send(owner, steer.Segment{Client: s.client.Addr(), Packet: b}) {
	case steer.Forwarded:
		return v
	case steer.Limited:
		return Limited
	case steer.DeadOwner:
		return DeadOwner
	}
	j.flows.forget(s.flow) // a node that has gone
	return Unclaimed
}
