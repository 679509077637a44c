package steer

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
)

// workers are the sockets of one address of a VIP, by number; nil where there is none.
type workers []*Conn

// find returns a worker, or nil.
func (w workers) find(number uint8) *Conn {
	if int(number) < len(w) {
		return w[number]
	}
	return nil
}

// owner returns the worker that id names, or any where that is no more, whose packets are answered as those of any lost
// connection; nil: there is none at all.
func (w workers) owner(id ServerID) *Conn {
	if c := w.find(id.Worker); c != nil {
		return c
	}
	return w.any()
}

// any returns the first worker there is, or nil.
func (w workers) any() *Conn {
	for _, c := range w {
		if c != nil {
			return c
		}
	}
	return nil
}

// with returns w with c under its number, and nil for c without that.
func (w workers) with(number uint8, c *Conn) workers {
	made := make(workers, max(len(w), int(number)+1))
	copy(made, w)
	made[number] = c
	return made
}

// workers are the sockets of the address that tag stands for.
func (s *Steerer) workers(tag vipTag) workers { return (*s.conns.Load())[tag] }

// each calls f for every socket.
func (s *Steerer) each(f func(*Conn)) {
	for _, all := range *s.conns.Load() {
		for _, c := range all {
			if c != nil {
				f(c)
			}
		}
	}
}

// Wrap returns what reads the datagrams of a socket, of which nothing else may read. vip is the address that clients use,
// the same at every node; worker numbers the sockets that have it, below MaxWorkers. Closing what is returned closes the
// socket.
func (s *Steerer) Wrap(socket *net.UDPConn, vip netip.AddrPort, worker uint8) (*Conn, error) {
	if worker >= MaxWorkers {
		return nil, fmt.Errorf("steer %v: worker %d: there are at most %d", vip, worker, MaxWorkers)
	}
	c, err := newConn(s, socket, vip, worker)
	if err != nil {
		return nil, err
	}
	s.changes.Lock()
	defer s.changes.Unlock()
	all := s.workers(c.tag)
	if other := all.any(); other != nil && other.vip != c.vip {
		return nil, fmt.Errorf("steer %v: in the tunnel it can't be told from %v: use another port for one of them", c.vip, other.vip)
	}
	s.setWorkers(c.tag, all.with(worker, c))
	return c, nil
}

// unwrap forgets a socket that is being closed.
func (s *Steerer) unwrap(c *Conn) {
	s.changes.Lock()
	defer s.changes.Unlock()
	if all := s.workers(c.tag); all.find(c.worker) == c {
		s.setWorkers(c.tag, all.with(c.worker, nil))
	}
}

// setWorkers replaces the sockets of an address. s.changes is held.
func (s *Steerer) setWorkers(tag vipTag, all workers) {
	conns := maps.Clone(*s.conns.Load())
	conns[tag] = all
	if all.any() == nil {
		delete(conns, tag)
	}
	s.conns.Store(&conns)
}
