package steer

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
)

// Conn is a VIP's socket for a quic.Transport. It reads what is for quic-go on this node: what comes to the socket, less
// what is others', and what others hand over. quic-go finds in it all that it looks for in a *net.UDPConn (batches,
// congestion marks, segmentation offload), and the kernel may hand over datagrams together, which quic-go alone doesn't ask for.
//
// The sockets of one address are its workers: the kernel spreads clients over them, and a datagram that comes to one and is
// of another's connection, since the client's address has changed, is handed to it.
//
// ReadBatch is one goroutine's; the other methods may be called concurrently.
type Conn struct {
	*net.UDPConn
	steerer *Steerer
	vip     netip.AddrPort
	tag     vipTag
	worker  uint8 // among the sockets of vip
	v6      bool
	marks   [ecnMask + 1][]byte // control messages, by mark

	queue   queue
	detours detours
	waiting atomic.Bool // the reader waits, or is about to

	classifier
	in       *intake
	out      *egress
	resetKey []byte
	now      time.Time // see clock

	deadlines sync.Mutex // guards the following fields, and the socket's own deadline
	deadline  time.Time  // as quic-go wants it
	closed    bool
	pause     pause // while another process reads the socket

	verdicts [verdicts]atomic.Uint64
}

func newConn(s *Steerer, socket *net.UDPConn, vip netip.AddrPort, worker uint8) (*Conn, error) {
	c := &Conn{
		UDPConn: socket, steerer: s, vip: unmap(vip), tag: tagOf(vip), worker: worker,
		in: newIntake(socket), out: newEgress(s.send), resetKey: resetKey(s.table.Load().keys, vip),
	}
	c.v6 = !c.vip.Addr().Is4()
	for ecn := range c.marks {
		b := make([]byte, controlLen)
		c.marks[ecn] = b[:putMarks(b, c.v6, uint8(ecn))]
	}
	return c, receiveTogether(socket, c.v6)
}

// Close closes the socket.
func (c *Conn) Close() error {
	c.steerer.unwrap(c)
	c.deadlines.Lock()
	c.closed = true
	c.deadlines.Unlock()
	c.pause.wake()
	return c.UDPConn.Close()
}

// ReadBatch reads at least one datagram, or returns an error that ends the transport: quic-go would take (0, nil), and what
// was in ms before, for datagrams. Buffers are filled, never exchanged: quic-go remembers which message has which.
// A timeout is only returned if quic-go has set the deadline itself, to stop reading.
func (c *Conn) ReadBatch(ms []ipv4.Message, _ int) (int, error) {
	for {
		if c.in.empty() {
			if err := c.fill(); err != nil {
				return 0, err
			}
		}
		injected := ms
		if !c.in.empty() {
			injected = ms[:len(ms)/2] // neither way starves the other
		}
		n := c.takeQueued(injected)
		n += c.sort(ms[n:])
		if n > 0 {
			return n, nil
		}
	}
}

// fill reads from the socket. It waits only while nothing else has come.
func (c *Conn) fill() error {
	for {
		if c.pause.wanted.Load() {
			return c.rest()
		}
		// Whoever pushes looks at waiting afterwards: either the datagram is seen here, or its pusher ends the wait.
		c.waiting.Store(true)
		flags := 0
		if c.queue.len() > 0 {
			c.waiting.Store(false)
			flags = dontWait
		}
		err := c.in.read(flags)
		c.waiting.Store(false)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			if c.expired() {
				return err
			}
			return nil // woken
		case flags != 0 && again(err):
			return nil
		case !temporary(err):
			return err
		}
	}
}

// SetReadDeadline is net.Conn's. A deadline is also how a waiting reader is woken, so the socket's isn't always quic-go's.
func (c *Conn) SetReadDeadline(t time.Time) error {
	defer c.pause.wake()
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	c.deadline = t
	if c.pause.wanted.Load() && t.IsZero() {
		return nil // its reader may not have noticed yet
	}
	return c.UDPConn.SetReadDeadline(t)
}

// SetDeadline is net.Conn's.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// wake ends the reader's wait.
func (c *Conn) wake() {
	c.pause.wake()
	if !c.waiting.CompareAndSwap(true, false) {
		return // it is about to look
	}
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	_ = c.UDPConn.SetReadDeadline(time.Unix(1, 0)) // fails only for a closed socket
}

// expired says whether the deadline that passed was quic-go's; if it was a wake-up, the next read may wait again.
func (c *Conn) expired() bool {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	if !c.deadline.IsZero() && !time.Now().Before(c.deadline) {
		return true
	}
	_ = c.UDPConn.SetReadDeadline(c.deadline)
	return false
}

// takeQueued fills ms with what others handed over.
func (c *Conn) takeQueued(ms []ipv4.Message) (n int) {
	for n < len(ms) && c.queue.pop(func(d queued) { c.put(&ms[n], d.addr, d.ecn, d.data) }) {
		n++
	}
	return n
}

// put makes m a datagram.
func (c *Conn) put(m *ipv4.Message, addr *net.UDPAddr, ecn uint8, data []byte) {
	m.N = copy(m.Buffers[0], data)
	m.NN = copy(m.OOB, c.marks[ecn&ecnMask])
	m.Flags, m.Addr = 0, addr
}

// inject takes a datagram that came through the tunnel; false: too many wait.
func (c *Conn) inject(client netip.AddrPort, ecn uint8, data []byte) bool {
	if !c.take(client, ecn, data) {
		return false
	}
	c.detours.note(client, time.Now())
	return true
}

// handOver takes a datagram that came to another worker's socket, here or in another process of this node; false: too many
// wait.
func (c *Conn) handOver(client netip.AddrPort, ecn uint8, data []byte) bool {
	if c.detours.any.Load() {
		c.detours.end(client)
	}
	return c.take(client, ecn, data)
}

// take takes a datagram that came otherwise than by the socket; false: too many wait.
func (c *Conn) take(client netip.AddrPort, ecn uint8, data []byte) bool {
	if !c.queue.push(client, ecn, data) {
		return false
	}
	c.wake()
	return true
}
