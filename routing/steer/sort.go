package steer

import (
	"time"

	"golang.org/x/net/ipv4"
)

// sort fills ms with what is for quic-go of what was read, and sends on what isn't.
func (c *Conn) sort(ms []ipv4.Message) (n int) {
	t := c.steerer.table.Load()
	c.now = time.Time{}
	var counts [verdicts]uint64
	for n < len(ms) {
		data := c.in.next()
		if data == nil {
			c.out.flush()
			break
		}
		v, p := c.judge(t, data)
		if v.delivered() {
			if c.detours.any.Load() {
				c.detours.end(unmap(c.in.addr.AddrPort()))
			}
			c.put(&ms[n], c.in.addr, c.in.ecn, data)
			n++
		} else {
			v = c.sendOn(v, p, data)
		}
		counts[v]++
	}
	for v, count := range counts {
		if count > 0 {
			c.verdicts[v].Add(count)
		}
	}
	return n
}

// sendOn does what v says to a datagram that isn't for quic-go, unless there are too many of its kind.
func (c *Conn) sendOn(v Verdict, p *peer, data []byte) Verdict {
	client := unmap(c.in.addr.AddrPort())
	switch {
	case v == Forwarded && c.steerer.sources.allow(client.Addr(), c.clock()) && p.state.limit.allow(c.clock()):
		c.out.add(p, header{ecn: c.in.ecn, vip: c.tag}, client, data)
	case v == Former && !c.steerer.toFormer(c.tag, client, c.in.ecn, data):
		return Limited
	case v == Forwarded, v.reset() && !c.reset(client, data):
		return Limited
	}
	return v
}

// clock is about now, of which a batch needs to know once.
func (c *Conn) clock() time.Time {
	if c.now.IsZero() {
		c.now = time.Now()
	}
	return c.now
}

// judge says what becomes of a datagram, and whose it is if it is to be forwarded.
func (c *Conn) judge(t *table, data []byte) (Verdict, *peer) {
	if len(data) > c.steerer.options.MaxDatagram {
		return TooLong, nil
	}
	switch k, id := c.classify(t.ids, data); k {
	case kindTooShort:
		return TooShort, nil
	case kindNotQUIC:
		return NotQUIC, nil
	case kindUnroutable:
		return Unroutable, nil
	case kindInitial:
		return Initial, nil
	default:
		v, p := t.verdict(id)
		if v == OldGeneration && c.steerer.isFormer(id.Generation) {
			return Former, nil
		}
		if v.reset() && data[0]&longHeader != 0 {
			return Initial, nil // only short headers can be answered so; quic-go knows what else can begin
		}
		return v, p
	}
}

// verdict says what becomes of a datagram that is owner's.
func (t *table) verdict(owner ServerID) (Verdict, *peer) {
	if owner.NodeID == t.self.NodeID {
		switch {
		case owner.Generation == t.self.Generation:
			return Own, nil
		case t.self.NodeID == NodeID{}:
			return UnknownOwner, nil // of another node that has no numbers yet
		}
		return OldGeneration, nil
	}
	p := t.peers[owner.NodeID]
	switch {
	case p == nil:
		return UnknownOwner, nil
	case p.state.dead.Load():
		return DeadOwner, nil
	}
	return Forwarded, p
}
