package steer

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// detourPause ends a detour on which nothing came for so long.
	detourPause = 10 * time.Second
	// maxDetours is how many clients of a socket are followed at most; the others stay where they are.
	maxDetours = 1 << 16
)

// detours are the clients of a socket whose datagrams another node sends here. The methods may be called concurrently.
type detours struct {
	any atomic.Bool // some are followed

	mu      sync.Mutex // guards the following field
	clients map[netip.AddrPort]detour
}

// detour is when the first and the last datagram came.
type detour struct{ began, last time.Time }

// note notes a datagram that another node sent.
func (d *detours) note(client netip.AddrPort, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, known := d.clients[client]
	switch {
	case !known && len(d.clients) >= maxDetours:
		return
	case !known || now.Sub(x.last) > detourPause:
		x.began = now
	}
	if d.clients == nil {
		d.clients = map[netip.AddrPort]detour{}
	}
	x.last = now
	d.clients[client] = x
	d.any.Store(true)
}

// end notes a datagram that came by itself.
func (d *detours) end(client netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.clients, client)
	d.any.Store(len(d.clients) > 0)
}

// since lists those that began before then, and forgets those that are over.
func (d *detours) since(then, now time.Time) (list []netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for client, x := range d.clients {
		switch {
		case now.Sub(x.last) > detourPause:
			delete(d.clients, client)
		case x.began.Before(then):
			list = append(list, client)
		}
	}
	d.any.Store(len(d.clients) > 0)
	return list
}

// Detoured lists the clients all of whose datagrams have come by another node for Options.Rehome or longer. Their
// connections work; but new ones would begin at the node that is the nearest now.
func (c *Conn) Detoured() []netip.AddrPort {
	after := c.steerer.options.Rehome
	if after == 0 || !c.detours.any.Load() {
		return nil
	}
	now := time.Now()
	return c.detours.since(now.Add(-after), now)
}

// Detours is how many clients of each VIP's address are on a detour: their datagrams come by another node.
func (s *Steerer) Detours() map[netip.AddrPort]int {
	counts := map[netip.AddrPort]int{}
	s.each(func(c *Conn) {
		now := time.Now()
		counts[c.vip] += len(c.detours.since(now, now))
	})
	return counts
}
