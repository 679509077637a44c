package steer

import (
	"net/netip"
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
		r := c.judge(t, data)
		v := r.verdict
		if v.delivered() {
			if c.detours.any.Load() {
				c.detours.end(unmap(c.in.addr.AddrPort()))
			}
			c.put(&ms[n], c.in.addr, c.in.ecn, data)
			n++
		} else {
			v = c.sendOn(r, data)
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

// ruling is what becomes of a datagram.
type ruling struct {
	verdict Verdict
	peer    *peer // for Forwarded
	worker  *Conn // for OtherWorker
}

// sendOn does what r says to a datagram that isn't for quic-go, unless there are too many of its kind.
func (c *Conn) sendOn(r ruling, data []byte) Verdict {
	client, done := unmap(c.in.addr.AddrPort()), true
	switch v := r.verdict; {
	case v == OtherWorker:
		done = r.worker.handOver(client, c.in.ecn, data)
	case v == Former:
		done = c.steerer.toFormer(c.tag, client, c.in.ecn, data)
	case v == Forwarded:
		done = c.forward(r.peer, client, data)
	case v.reset():
		done = c.reset(client, data)
	}
	if !done {
		return Limited
	}
	return r.verdict
}

// forward sends a datagram to its owner; false: that would be too many.
func (c *Conn) forward(p *peer, client netip.AddrPort, data []byte) bool {
	if !c.steerer.sources.allow(client.Addr(), c.clock()) || !p.state.limit.allow(c.clock()) {
		return false
	}
	c.out.add(p, header{ecn: c.in.ecn, vip: c.tag}, client, data)
	return true
}

// clock is about now, of which a batch needs to know once.
func (c *Conn) clock() time.Time {
	if c.now.IsZero() {
		c.now = time.Now()
	}
	return c.now
}

// judge says what becomes of a datagram.
func (c *Conn) judge(t *table, data []byte) ruling {
	if len(data) > c.steerer.options.MaxDatagram {
		return ruling{verdict: TooLong}
	}
	switch k, id := c.classify(t.ids, data); k {
	case kindTooShort:
		return ruling{verdict: TooShort}
	case kindNotQUIC:
		return ruling{verdict: NotQUIC}
	case kindUnroutable:
		return ruling{verdict: Unroutable}
	case kindInitial:
		return ruling{verdict: Initial}
	default:
		r := t.judge(id)
		switch {
		case r.verdict == Own && id.Worker != c.worker:
			return c.judgeWorker(id.Worker)
		case r.verdict == OldGeneration && c.steerer.isFormer(id.Generation):
			return ruling{verdict: Former}
		case r.verdict.reset() && data[0]&longHeader != 0:
			return ruling{verdict: Initial} // only short headers can be answered so; quic-go knows what else can begin
		}
		return r
	}
}

// judgeWorker says what becomes of a datagram that is of this process, but not of this worker. Of one that there isn't it
// is nobody's, which quic-go knows what to do about.
func (c *Conn) judgeWorker(number uint8) ruling {
	if w := c.steerer.workers(c.tag).find(number); w != nil {
		return ruling{verdict: OtherWorker, worker: w}
	}
	return ruling{verdict: Own}
}

// judge says what becomes of a datagram that is owner's.
func (t *table) judge(owner ServerID) ruling {
	if owner.NodeID == t.self.NodeID {
		switch {
		case owner.Generation == t.self.Generation:
			return ruling{verdict: Own}
		case t.self.NodeID == NodeID{}:
			return ruling{verdict: UnknownOwner} // of another node that has no numbers yet
		}
		return ruling{verdict: OldGeneration}
	}
	p := t.peers[owner.NodeID]
	switch {
	case p == nil:
		return ruling{verdict: UnknownOwner}
	case p.state.dead.Load():
		return ruling{verdict: DeadOwner}
	}
	return ruling{verdict: Forwarded, peer: p}
}
