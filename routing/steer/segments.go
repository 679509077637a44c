package steer

import (
	"net/netip"
	"time"
)

// Rescuer takes TCP segments, and what is said about them, from other nodes. The tunnel's reader calls it, one call at a
// time; it must not keep what it is given.
type Rescuer interface {
	// TakeSegment takes an IP packet.
	TakeSegment(packet []byte) Refusal
	// TakeQuery takes a question or an answer, and returns an answer; nil: none.
	TakeQuery(from NodeID, content []byte) ([]byte, Refusal)
}

// Segment is an IP packet that another node should have.
type Segment struct {
	Client netip.Addr
	Packet []byte
}

// Segments sends IP packets of TCP connections to the nodes that have them, under the limits that QUIC datagrams share. It is
// one goroutine's.
type Segments struct {
	steerer *Steerer
	out     *egress
	// Of questions: in all, and of one network of clients.
	questions *bucket
	askers    *sources
}

// Questions a second, counted by node asked: a flood of segments that nobody owns must not become one of questions.
const (
	questionRate      = 20_000
	questionsOfSource = 2_000
	// queryRate is how many of one node's questions are looked at a second.
	queryRate = 5_000
)

// Segments returns what sends segments; r takes those that other nodes send. It is called once, before Run.
func (s *Steerer) Segments(r Rescuer) *Segments {
	s.rescuer.Store(&r)
	return &Segments{
		steerer: s, out: newEgress(s.send),
		questions: newBucket(questionRate, time.Second/4), askers: newSources(questionsOfSource, time.Second/4),
	}
}

// Send sends a segment to its owner, with the next Flush at the latest. It returns Forwarded, or why not: Limited,
// DeadOwner, UnknownOwner.
func (o *Segments) Send(to NodeID, g Segment) Verdict {
	p := o.steerer.table.Load().peers[to]
	now := time.Now()
	switch {
	case p == nil:
		return UnknownOwner
	case p.state.dead.Load():
		return DeadOwner
	case !o.steerer.sources.allow(g.Client, now) || !p.state.limit.allow(now):
		return Limited
	}
	o.out.addSegment(p, g.Packet)
	return Forwarded
}

// Flush sends what Send has left.
func (o *Segments) Flush() { o.out.flush() }

// Ask asks those of a list that live; false: too much has been asked, for the client's network or in all.
func (o *Segments) Ask(list []NodeID, g Segment, question []byte) bool {
	t, now := o.steerer.table.Load(), time.Now()
	for _, id := range list {
		p := t.peers[id]
		if p == nil || p.state.dead.Load() {
			continue
		}
		if !o.askers.allow(g.Client, now) || !o.questions.allow(now) {
			return false
		}
		o.steerer.say(p, question)
	}
	return true
}

// say sends a question or an answer.
func (s *Steerer) say(p *peer, content []byte) {
	if s.send(p.pair.appendMessage(nil, p.stamp(header{kind: query}), content), nil, p.Tunnel) != nil {
		p.state.sendErrors.Add(1)
	}
}

// HandedOver says whether another process of this node has the tunnel now: what this one sends isn't believed any more.
func (s *Steerer) HandedOver() bool { return s.handed.Load() != nil }

// MaxPacket is how long an IP packet of a client's may be, in octets, to pass the tunnel over Ethernet in one piece.
func (s *Steerer) MaxPacket() int {
	const ethernet, ip4, ip6, udp = 1500, 20, 40, 8
	outer := ip4
	if s.v6 {
		outer = ip6
	}
	return ethernet - outer - udp - headerLen - tagLen
}

// segment hands a TCP segment to who takes it.
func (r *receiver) segment(p *peer, h header, packet []byte) Refusal {
	if refused := p.state.inbound.fresh(h); refused != Accepted {
		return refused
	}
	taker := r.s.rescuer.Load()
	if taker == nil {
		return NoRescue
	}
	refused := (*taker).TakeSegment(packet)
	if refused == Accepted {
		p.state.injected.Add(1)
	}
	return refused
}

// query hands a question or an answer to who takes it.
func (r *receiver) query(p *peer, h header, content []byte) Refusal {
	if refused := p.state.inbound.fresh(h); refused != Accepted {
		return refused
	}
	taker := r.s.rescuer.Load()
	switch {
	case taker == nil:
		return NoRescue
	case !p.state.queries.allow(time.Now()):
		return Overflow
	}
	answer, refused := (*taker).TakeQuery(p.ID, content)
	if answer != nil {
		r.s.say(p, answer)
	}
	return refused
}
