package steer

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"
)

// send sends to a peer.
func (s *Steerer) send(b, oob []byte, to netip.AddrPort) error {
	_, _, err := s.socket.WriteMsgUDPAddrPort(b, oob, to)
	return err
}

// receive reads the tunnel until its socket is closed. The error is what else ended it.
func (s *Steerer) receive() error {
	in := newIntake(s.socket)
	r := &receiver{s: s}
	for {
		if wake := s.tunnel.wait(); wake != nil {
			<-wake
			continue
		}
		if err := in.read(0); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) { // HandOver wants to stop it
				_ = s.socket.SetReadDeadline(time.Time{})
				continue
			}
			if temporary(err) {
				continue
			}
			return closing(err)
		}
		t := s.table.Load()
		for b := in.next(); b != nil; b = in.next() {
			s.refused[r.take(t, in.addr, b)].Add(1)
		}
	}
}

// receiver takes what comes through the tunnel. Its owner is one goroutine.
type receiver struct {
	s *Steerer
	classifier
	reply []byte
}

// take takes one message, which it may overwrite.
func (r *receiver) take(t *table, from *net.UDPAddr, b []byte) Refusal {
	h, refused := parseHeader(b)
	if refused != Accepted {
		return refused
	}
	p := t.byAddr[unmap(from.AddrPort())]
	if p == nil {
		return UnknownPeer
	}
	text, refused := p.pair.decrypt(h, b)
	if refused != Accepted {
		return refused
	}
	switch h.kind {
	case ping:
		return r.ping(t, p, h, text, len(b)+p.outerLen())
	case pong:
		return r.pong(p, h, text)
	case segment:
		return r.segment(p, h, text)
	case query:
		return r.query(p, h, text)
	default:
		return r.datagram(t, p, h, text)
	}
}

// datagram hands a client's datagram to the VIP's socket. It is this node's or nobody's: what came out of a tunnel never
// goes into one again.
func (r *receiver) datagram(t *table, p *peer, h header, text []byte) Refusal {
	if refused := p.state.inbound.fresh(h); refused != Accepted {
		return refused
	}
	client, data, refused := parseDatagram(h, text)
	if refused != Accepted {
		return refused
	}
	k, owner := r.classify(t.ids, data)
	if k != kindRouted || owner.NodeID != t.self.NodeID {
		return Loop
	}
	c := r.s.workers(h.vip).owner(owner)
	if c == nil || c.v6 != h.v6 {
		return UnknownVIP
	}
	if owner.Generation != t.self.Generation && r.s.isFormer(owner.Generation) {
		if !r.s.toFormer(h.vip, client, h.ecn, data) {
			return Overflow
		}
		p.state.injected.Add(1)
		return Accepted
	}
	if owner.Generation != t.self.Generation && data[0]&longHeader == 0 {
		c.reset(client, data) // an earlier process of this node had it
		return Accepted
	}
	if !c.inject(client, h.ecn, data) {
		return Overflow
	}
	p.state.injected.Add(1)
	return Accepted
}

// ping answers a ping. One of a process that hasn't been met is answered as well, or two that start would never meet;
// but it isn't believed.
func (r *receiver) ping(t *table, p *peer, h header, text []byte, size int) Refusal {
	m, refused := parseBody(text)
	if refused != Accepted {
		return refused
	}
	refused = p.state.inbound.fresh(h)
	if refused == Replayed {
		return refused
	}
	now := time.Now()
	if !p.state.answers.allow(now) {
		return Overflow
	}
	if refused == Accepted {
		p.state.beat.say(m)
	}
	answer := r.s.body(t, now)
	answer.challenge, answer.size = m.challenge, uint16(size)
	r.reply = p.pair.appendMessage(r.reply[:0], p.stamp(header{kind: pong}), answer.append(nil))
	if r.s.send(r.reply, nil, p.Tunnel) != nil {
		p.state.sendErrors.Add(1)
	}
	return refused
}

// pong takes an answer: its sender lives.
func (r *receiver) pong(p *peer, h header, text []byte) Refusal {
	m, refused := parseBody(text)
	if refused != Accepted {
		return refused
	}
	now := time.Now()
	rtt, mtu, asked := p.state.beat.answer(m, now)
	if !asked {
		return Replayed
	}
	if refused := p.state.inbound.meet(h); refused != Accepted {
		return refused
	}
	p.heardNow(now, rtt, mtu)
	return Accepted
}
