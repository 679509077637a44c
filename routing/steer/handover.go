package steer

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// When a process of this node makes way for another, both have the sockets of the VIPs. The one that comes reads them all;
// the one that goes reads none any more, but goes on sending by them. Datagrams of the connections that it still has are
// handed to it, through a link between the two: a pair of Unix sockets that keep messages apart (SOCK_SEQPACKET).
//
//	socket ─► the new process's Conn ─┬─ of its own generation ──────────► quic-go
//	                                  └─ of the former one ─► link ─► the old process's Conn ─► quic-go ─► client
//
// A message is the VIP's tag, the congestion marks with flagV6, the client's port and address, and the datagram. The link
// belongs to two processes of one user on one host, so nothing of it is encrypted. Where it is full a datagram is dropped,
// as it would be from a socket's buffer.

// maxLinked is the longest message of a link.
const maxLinked = 4 + clientLen6 + intakeBuffer

// former is the process before this one, while it still has connections.
type former struct {
	generation uint8
	link       *net.UnixConn
}

// Follow hands the datagrams of a former generation's connections to its process, through link, which belongs to the
// Steerer from now on, until Unfollow, or until that process has closed its end.
func (s *Steerer) Follow(generation uint8, link *net.UnixConn) {
	_ = link.SetWriteBuffer(socketBuffer) // what the host allows serves
	if was := s.former.Swap(&former{generation, link}); was != nil {
		_ = was.link.Close()
	}
}

// Unfollow ends Follow: the former process is gone, and so are its connections.
func (s *Steerer) Unfollow() {
	if was := s.former.Swap(nil); was != nil {
		_ = was.link.Close()
	}
}

// isFormer says whether the process of a generation before this one still lives.
func (s *Steerer) isFormer(generation uint8) bool {
	f := s.former.Load()
	return f != nil && f.generation == generation
}

// toFormer hands a datagram to the former process; false: it was dropped.
func (s *Steerer) toFormer(tag vipTag, client netip.AddrPort, ecn uint8, data []byte) bool {
	f := s.former.Load()
	if f == nil {
		return false
	}
	err := writeNow(f.link, appendLinked(nil, tag, client, ecn, data))
	if err != nil && !again(err) && s.former.CompareAndSwap(f, nil) {
		_ = f.link.Close() // its process is gone
	}
	return err == nil
}

func appendLinked(b []byte, tag vipTag, client netip.AddrPort, ecn uint8, data []byte) []byte {
	flags := ecn & ecnMask
	if client.Addr().Is6() {
		flags |= flagV6
	}
	b = append(b, tag[0], tag[1], tag[2], flags)
	b = binary.BigEndian.AppendUint16(b, client.Port())
	b = append(b, client.Addr().AsSlice()...)
	return append(b, data...)
}

// parseLinked takes a message of a link apart; false: it is none.
func parseLinked(b []byte) (tag vipTag, client netip.AddrPort, ecn uint8, data []byte, ok bool) {
	if len(b) < 4 {
		return tag, client, 0, nil, false
	}
	client, data, refused := parseDatagram(header{v6: b[3]&flagV6 != 0}, b[4:])
	return vipTag(b), client, b[3] & ecnMask, data, refused == Accepted
}

// handed is what becomes of the sockets while another process reads them.
type handed struct {
	link    *net.UnixConn
	reading sync.WaitGroup
}

// handTimeout is how long a socket's reader may take to let go of it. It takes no longer than one batch.
const handTimeout = 2 * time.Second

// HandOver stops reading: the tunnel, and the sockets of those VIPs' addresses that taken names. Another process reads them
// when it returns, and hands over by link, which belongs to the Steerer from now on, what is of this one's connections. It
// lasts until TakeBack, or until that process has closed its end. The error says that a reader didn't stop; then all go on.
func (s *Steerer) HandOver(link *net.UnixConn, taken func(vip netip.AddrPort) bool) error {
	_ = link.SetReadBuffer(socketBuffer) // what the host allows serves
	h := &handed{link: link}
	if !s.handed.CompareAndSwap(nil, h) {
		return errors.New("hand over QUIC: that has been done")
	}
	var stopped []<-chan struct{}
	if s.socket != nil {
		stopped = append(stopped, s.tunnel.pause(func() { _ = s.socket.SetReadDeadline(longAgo) }))
	}
	s.each(func(c *Conn) {
		if taken(c.vip) {
			stopped = append(stopped, c.pause.pause(c.interrupt))
		}
	})
	late := time.NewTimer(handTimeout)
	defer late.Stop()
	for _, done := range stopped {
		select {
		case <-done:
		case <-late.C:
			s.TakeBack()
			return errors.New("hand over QUIC: a socket's reader doesn't stop")
		}
	}
	h.reading.Go(func() { s.takeHanded(h) }) // until the link is closed
	return nil
}

// TakeBack reads the sockets again, which nothing else may read then.
func (s *Steerer) TakeBack() {
	if h := s.handed.Load(); h != nil {
		_ = h.link.Close()
		s.takeBack(h)
		h.reading.Wait()
	}
}

func (s *Steerer) takeBack(h *handed) {
	if !s.handed.CompareAndSwap(h, nil) {
		return
	}
	s.tunnel.resume()
	s.each(func(c *Conn) { c.pause.resume() })
}

// takeHanded takes what the process that reads the sockets hands over, until that ends.
func (s *Steerer) takeHanded(h *handed) {
	b := make([]byte, maxLinked)
	var scratch classifier
	for {
		n, err := h.link.Read(b)
		if err != nil || n == 0 {
			_ = h.link.Close()
			s.takeBack(h) // whoever read the sockets is gone
			return
		}
		if tag, client, ecn, data, ok := parseLinked(b[:n]); ok {
			s.deliver(&scratch, tag, client, ecn, data)
		}
	}
}

// deliver gives a datagram to the worker that has its connection.
func (s *Steerer) deliver(scratch *classifier, tag vipTag, client netip.AddrPort, ecn uint8, data []byte) {
	_, owner := scratch.classify(s.table.Load().ids, data)
	c := s.workers(tag).owner(owner)
	if c == nil || c.v6 != client.Addr().Is6() || !c.handOver(client, ecn, data) {
		s.refused[Overflow].Add(1)
	}
}

// isHanded says whether another process has the sockets.
func (s *Steerer) isHanded() bool { return s.handed.Load() != nil }

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// pause lets one goroutine that reads a socket stop, and go on.
type pause struct {
	wanted atomic.Bool // it shall stop

	mu      sync.Mutex    // guards the following fields
	stopped chan struct{} // closed when it has
	wakes   chan struct{} // closed at whatever it should look at; nil: it doesn't wait
}

// pause has the reader stop, whom interrupt wakes. What it returns is closed when the reader has.
func (p *pause) pause(interrupt func()) <-chan struct{} {
	p.mu.Lock()
	p.stopped = make(chan struct{})
	stopped := p.stopped
	p.mu.Unlock()
	p.wanted.Store(true)
	interrupt()
	return stopped
}

func (p *pause) resume() {
	p.wanted.Store(false)
	p.wake()
}

// wake lets a reader that has stopped look around.
func (p *pause) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wakes != nil {
		close(p.wakes)
		p.wakes = nil
	}
}

// wait is the reader's: it returns at once unless the reader shall stop, and then what is closed when there may be
// something to do.
func (p *pause) wait() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.wanted.Load() {
		return nil
	}
	select {
	case <-p.stopped:
	default:
		close(p.stopped)
	}
	if p.wakes == nil {
		p.wakes = make(chan struct{})
	}
	return p.wakes
}

// interrupt ends a wait for the socket.
func (c *Conn) interrupt() {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	_ = c.UDPConn.SetReadDeadline(longAgo) // fails only for a closed socket
}

// rest waits while another process reads the socket and nothing has been handed over. The error ends the transport.
func (c *Conn) rest() error {
	for {
		wake := c.pause.wait()
		if wake == nil || c.queue.len() > 0 {
			return nil
		}
		c.deadlines.Lock()
		deadline, closed := c.deadline, c.closed
		c.deadlines.Unlock()
		switch {
		case closed:
			return net.ErrClosed
		case deadline.IsZero():
			<-wake
			continue
		case !time.Now().Before(deadline):
			return os.ErrDeadlineExceeded
		}
		timer := time.NewTimer(time.Until(deadline))
		select {
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}
