package steer

import (
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"
)

// Peer is another node of the fleet.
type Peer struct {
	Name   string
	ID     NodeID
	Tunnel netip.AddrPort // where its tunnel listens
	// Dead says that the fleet has given it up. It is believed only while the tunnel hears nothing of the node either, here
	// and at another node: who is answered for must not be alive.
	Dead bool
}

// peer is another node as one table has it. It never changes but for its state, which outlives the table.
type peer struct {
	Peer
	pair  *pair
	state *peerState
}

// peerState is what is known of a peer, and what was done with it.
type peerState struct {
	since   time.Time     // when the peer became known
	epoch   uint32        // of this process, for what is sent
	counter atomic.Uint64 // of what was sent
	limit   *bucket       // of datagrams forwarded
	answers *bucket       // of messages answered before it is known that their sender lives
	queries *bucket       // of its questions for owners of TCP connections
	dead    atomic.Bool
	mtu     atomic.Int32 // of the path, in octets; 0: not known
	rtt     atomic.Int64 // nanoseconds; 0: not known
	heard   atomic.Int64 // when it last answered, in nanoseconds after since; 0: never

	forwarded, forwardedBytes, injected, sendErrors atomic.Uint64

	inbound inbound // the tunnel reader's
	beat    beat
}

// inbound is what the tunnel's reader knows of a peer's process.
type inbound struct {
	met    bool
	epoch  uint32
	window window
}

// newPeerState begins what is known of a peer. What it sends is stamped as later than all that this process has sent so far:
// a peer that goes and comes back would else take it for replayed.
func newPeerState(now stamps, rate int) *peerState {
	s := &peerState{since: time.Now(), epoch: now.epoch, limit: newBucket(rate, time.Second/4), answers: newBucket(50, time.Second), queries: newBucket(queryRate, time.Second)}
	s.counter.Store(now.next())
	return s
}

// stamps are what a process stamps its messages with.
type stamps struct {
	epoch   uint32 // tells processes apart by their start
	first   uint64 // the first counter; random, since two processes may have one epoch
	started time.Time
}

func newStamps(started time.Time) stamps {
	// Ticks of 67 ms, which come round after nine years.
	return stamps{epoch: uint32(started.UnixNano() >> 26), first: rand.Uint64N(1 << 46), started: started}
}

// next is above every counter used so far: none advances faster than by one in a microsecond, see MaxRate.
func (s stamps) next() uint64 { return s.first + uint64(time.Since(s.started).Microseconds()) }

// stamp gives h what no other message has.
func (p *peer) stamp(h header) header {
	h.epoch, h.counter = p.state.epoch, p.state.counter.Add(1)&(1<<48-1)
	return h
}

// outerLen is what IP and UDP put before a message to p, in octets.
func (p *peer) outerLen() int {
	if p.Tunnel.Addr().Is6() {
		return 40 + 8
	}
	return 20 + 8
}

// room is how long a message to p may be without being fragmented, in octets.
func (p *peer) room() int {
	mtu := int(p.state.mtu.Load())
	if mtu == 0 {
		mtu = pmtuSteps[0]
	}
	return mtu - p.outerLen()
}

// fresh says whether a message of a peer's process comes for the first time, from the process that was met last.
func (in *inbound) fresh(h header) Refusal {
	switch {
	case !in.met || in.epoch != h.epoch:
		return OtherEpoch
	case !in.window.accept(h.counter):
		return Replayed
	}
	return Accepted
}

// meet is told of a message that only a living process can have sent.
func (in *inbound) meet(h header) Refusal {
	if !in.met || in.epoch != h.epoch {
		*in = inbound{met: true, epoch: h.epoch}
	}
	return in.fresh(h)
}
