package rescue

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/routing/steer"
)

// kernel is the device as a Rescue uses it. Read is one goroutine's; the others may be called concurrently.
type kernel interface {
	// read hands every segment that comes to take, which must not keep it, until the device is closed. idle follows when
	// there is none for now.
	read(take func(packet []byte), idle func()) error
	// write has the host receive a packet, by a way that doesn't lead to read.
	write(packet []byte) error
	// serve adds a VIP to those whose segments are looked at, or removes it.
	serve(vip netip.AddrPort, on bool) error
	// attach has the packets of interfaces that are new looked at, and returns how many interfaces there are.
	attach() (int, error)
	// detach undoes attach.
	detach()
	// has says whether this host has a connection.
	has(f flow) (bool, error)
	counts() [kernelCounts]uint64
	device() string // its name
	Close()
}

// What the kernel's part counts, as keys of its map.
const (
	countLooked = iota // segments to a VIP that aren't SYN
	countMissed        // of those, the ones that no socket here is for
	countCookie        // of those, the ones that answer a SYN cookie of this host: they aren't missed
	kernelCounts
)

// fleet is who there is, as a Steerer knows it.
type fleet interface {
	ID() steer.NodeID
	Peers() []steer.PeerStatus
	MaxPacket() int
	// HandedOver says whether another process of this node rescues now.
	HandedOver() bool
}

// Rescue has TCP segments that come to this node find the node that has their connection, and takes those of its own. Its
// methods may be called concurrently.
type Rescue struct {
	kernel kernel
	fleet  fleet
	judge  judge // the reader's
	flows  flows
	log    *slog.Logger

	nodes      atomic.Pointer[nodes]
	interfaces atomic.Int64
	mu         sync.Mutex // guards the following fields
	vips       map[netip.AddrPort]int
	trouble    string // of attaching, as last logged

	verdicts                            [verdicts]atomic.Uint64
	injected, marked, unmarked, answers atomic.Uint64
}

// watchEvery is how often nodes and interfaces are looked at.
const watchEvery = time.Second

// Open makes the device and its program, and has s carry segments. Run must follow, or Close. The error says what is missing
// on this host.
func Open(s *steer.Steerer, log *slog.Logger) (*Rescue, error) {
	if err := Missing(); err != nil {
		return nil, err
	}
	k, err := openDevice()
	if err != nil {
		return nil, err
	}
	r := newRescue(k, s, log)
	r.judge.tunnel = s.Segments(r)
	r.watch()
	return r, nil
}

func newRescue(k kernel, f fleet, log *slog.Logger) *Rescue {
	r := &Rescue{kernel: k, fleet: f, log: log, vips: map[netip.AddrPort]int{}}
	r.judge.flows = &r.flows
	r.nodes.Store(newNodes(steer.NodeID{}, nil))
	return r
}

// Run carries segments until its context ends; then it removes the device. It returns when all that it started has ended; the error
// is what ended it before.
func (r *Rescue) Run(until context.Context) error {
	ctx, cancel := context.WithCancel(until)
	defer cancel()
	r.watch() // who was told of since Open: what is of nobody is reset
	var reading sync.WaitGroup
	var err error
	reading.Go(func() { // ends when the device is closed
		defer cancel()
		err = r.kernel.read(r.take, r.judge.tunnel.Flush)
	})
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			r.watch()
		case <-ctx.Done():
		}
	}
	r.Close()
	reading.Wait()
	if until.Err() != nil {
		return nil // the error is that of reading what is closed
	}
	return err
}

// Close removes the device of a Rescue that doesn't run.
func (r *Rescue) Close() { r.kernel.Close() }

// watch looks who is in the fleet, and which interfaces there are.
func (r *Rescue) watch() {
	r.nodes.Store(newNodes(r.fleet.ID(), r.fleet.Peers()))
	if r.fleet.HandedOver() {
		r.kernel.detach()
		r.interfaces.Store(0)
		return
	}
	n, err := r.kernel.attach()
	r.interfaces.Store(int64(n))
	trouble := ""
	if err != nil {
		trouble = err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if trouble != r.trouble && trouble != "" {
		r.log.Warn("TCP rescue: segments that come by an interface aren't looked at", "error", trouble)
	}
	r.trouble = trouble
}

// take decides on a segment that no socket is for.
func (r *Rescue) take(packet []byte) {
	v := r.judge.take(r.nodes.Load(), packet, time.Now())
	r.verdicts[v].Add(1)
	if v.refused() {
		_ = r.kernel.write(packet) // what is lost comes again
	}
}

// TakeSegment has the host receive a segment that another node sent. It is of one of this node's connections, or the host
// resets it: nothing goes on from here.
func (r *Rescue) TakeSegment(packet []byte) steer.Refusal {
	s, ok := parse(packet)
	switch {
	case !ok || s.flags&flagSYN != 0:
		return steer.Truncated
	case !r.serves(s.vip):
		return steer.UnknownVIP
	case r.kernel.write(packet) != nil:
		return steer.Overflow
	}
	r.injected.Add(1)
	return steer.Accepted
}

// TakeQuery takes another node's question, and returns the answer if this one has the connection; or it takes an answer.
func (r *Rescue) TakeQuery(from steer.NodeID, content []byte) ([]byte, steer.Refusal) {
	w, ok := parseWord(content)
	switch {
	case !ok:
		return nil, steer.Truncated
	case w.kind == mine:
		if !r.flows.answer(w.flow, from, time.Now()) {
			return nil, steer.Replayed
		}
		return nil, steer.Accepted
	case !r.serves(w.flow.vip):
		return nil, steer.UnknownVIP
	}
	if has, err := r.kernel.has(w.flow); err != nil || !has {
		return nil, steer.Accepted // silence says no
	}
	r.answers.Add(1)
	return word{mine, w.flow}.append(nil), steer.Accepted
}

func (r *Rescue) serves(vip netip.AddrPort) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.vips[vip] > 0
}

// Serve begins to look at segments that come to vip, until end is called.
func (r *Rescue) Serve(vip netip.AddrPort) (end func(), err error) {
	vip = netip.AddrPortFrom(vip.Addr().Unmap(), vip.Port())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.vips[vip] == 0 {
		if err := r.kernel.serve(vip, true); err != nil {
			return nil, fmt.Errorf("TCP rescue of %v: %w", vip, err)
		}
	}
	r.vips[vip]++
	return sync.OnceFunc(func() { r.unserve(vip) }), nil
}

func (r *Rescue) unserve(vip netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.vips[vip]--; r.vips[vip] > 0 {
		return
	}
	delete(r.vips, vip)
	_ = r.kernel.serve(vip, false) // the map has gone with the device
}

// Mark has the timestamps of a connection that was just accepted say that it is this node's.
func (r *Rescue) Mark(conn *net.TCPConn) {
	n := r.nodes.Load()
	if !n.numbered() {
		return
	}
	if err := mark(conn, n.code); err != nil {
		r.unmarked.Add(1) // its client went away already, as a rule
		return
	}
	r.marked.Add(1)
}

// MaxSegment is how long clients' segments to a VIP may be, in octets, so that they fit through the tunnel over Ethernet. It is
// what a listener announces (RFC 9293, section 3.7.1).
func (r *Rescue) MaxSegment(vip netip.Addr) int {
	ip := minIP6
	if vip.Unmap().Is4() {
		ip = minIP4
	}
	return r.fleet.MaxPacket() - ip - minTCP
}
