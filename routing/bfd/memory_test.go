package bfd

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// Memory is a net without sockets: packets arrive at once, and those who lose their listener lose them.
type Memory struct {
	mu    sync.Mutex // guards the following fields
	doors map[memoryDoor]chan received
	cut   bool
	taken bool // of every port
	busy  bool // nobody comes to read
}

type memoryDoor struct {
	host netip.Addr
	door door
}

func NewMemory() *Memory { return &Memory{doors: map[memoryDoor]chan received{}} }

// Monitor is a monitor on the host with this address.
func (n *Memory) Monitor(host netip.Addr, changed func(netip.Addr, Change)) *Monitor {
	return newMonitor(&memoryHost{n, host}, changed)
}

// Cut has the net lose everything, or no longer.
func (n *Memory) Cut(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
}

// Take has every port taken by another daemon.
func (n *Memory) Take(taken bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.taken = taken
}

// Busy has processes so busy that nobody comes to read what arrives, from the next listener on.
func (n *Memory) Busy() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.busy = true
}

// Listening is how many doors are open.
func (n *Memory) Listening() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.doors)
}

// Send puts octets on the wire as from would, to a single-hop door.
func (n *Memory) Send(from, to netip.Addr, ttl int, octets []byte) error {
	return n.deliver(memoryDoor{to, door{v6: to.Is6()}}, received{from, ttl, octets})
}

func (n *Memory) deliver(d memoryDoor, r received) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut {
		return nil
	}
	if c := n.doors[d]; c != nil {
		c <- r
		return nil
	}
	return errors.New("nobody listens")
}

type memoryHost struct {
	net  *Memory
	host netip.Addr
}

func (h *memoryHost) listen(d door) (listener, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.net.taken {
		return nil, errors.New("port taken")
	}
	l := &memoryListener{h.net, memoryDoor{h.host, d}, make(chan received, 1024), make(chan struct{}), h.net.busy}
	h.net.doors[l.door] = l.in
	return l, nil
}

func (h *memoryHost) dial(p *Peer) (sender, error) {
	return &memorySender{h, memoryDoor{p.Address, p.door()}}, nil
}

type memoryListener struct {
	net  *Memory
	door memoryDoor
	in   chan received
	done chan struct{}
	busy bool
}

func (l *memoryListener) read() (received, error) {
	if l.busy {
		<-l.done
	}
	if r, ok := <-l.in; ok {
		return r, nil
	}
	return received{}, net.ErrClosed
}

func (l *memoryListener) waiting(take func(received)) {
	for {
		select {
		case r, ok := <-l.in:
			if !ok {
				return
			}
			take(r)
		default:
			return
		}
	}
}

func (l *memoryListener) close() {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	delete(l.net.doors, l.door)
	close(l.done)
	close(l.in)
}

type memorySender struct {
	host *memoryHost
	to   memoryDoor
}

func (s *memorySender) send(octets []byte) error {
	return s.host.net.deliver(s.to, received{s.host.host, maxTTL, append([]byte(nil), octets...)})
}

func (s *memorySender) close() {}
