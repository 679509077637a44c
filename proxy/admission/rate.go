package admission

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

const (
	shardCount = 64
	// shardSize bounds what a flood of addresses can make the node remember: 64 × 4096 clients, about 20 MB.
	shardSize = 4096
	// sweepSize is how many clients a full shard looks at for one that it may forget.
	sweepSize = 16
)

// clients limits each client's rate by the generic cell rate algorithm: one time per client is the whole state, and
// it means the same after the rate or the burst changed.
type clients struct {
	seed   maphash.Seed // an attacker must not choose the shard
	shards [shardCount]shard
}

type shard struct {
	mu sync.Mutex // guards the following field
	// due is when each client's bucket is full again; one whose time has passed is as good as unknown.
	due map[netip.Addr]time.Time
}

func newClients() *clients {
	c := &clients{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].due = map[netip.Addr]time.Time{}
	}
	return c
}

// take takes one token of addr, or returns how long until there is one.
func (c *clients) take(addr netip.Addr, rate float64, burst int, now time.Time) time.Duration {
	s := &c.shards[maphash.Comparable(c.seed, addr)%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	cost := time.Duration(float64(time.Second) / rate)
	due, known := s.due[addr]
	if !known || due.Before(now) {
		due = now
	}
	due = due.Add(cost)
	if wait := due.Sub(now) - time.Duration(burst)*cost; wait > 0 {
		return wait
	}
	if !known && len(s.due) >= shardSize {
		s.forget(now)
	}
	s.due[addr] = due
	return 0
}

// forget makes room: clients whose bucket is full again go first, else any one.
func (s *shard) forget(now time.Time) {
	var last netip.Addr
	looked := 0
	for addr, due := range s.due { // in random order
		last = addr
		if due.Before(now) {
			delete(s.due, addr)
		}
		if looked++; looked == sweepSize {
			break
		}
	}
	if len(s.due) >= shardSize {
		delete(s.due, last)
	}
}

// addressOf is the address of a peer; the zero one for a unix socket: all count as one.
func addressOf(remoteAddr string) netip.Addr {
	ap, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr()
}

// subscriber is whom a request counts for: an IPv4 address, or the IPv6 /64 that one subscriber has.
func subscriber(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if !addr.Is6() {
		return addr
	}
	return netip.PrefixFrom(addr, 64).Masked().Addr()
}
