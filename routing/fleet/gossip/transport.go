package gossip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// maxStreams bounds the connections of others at once: each may make this node read before it has proven anything.
	maxStreams = 32
	// maxStream bounds what is read of a connection: every node's state, or one purge of many URLs.
	maxStream = 4 << 20
	// maxPacket is more than any that memberlist sends.
	maxPacket = 64 << 10
	// acceptPause is how long accepting rests after an error, for want of descriptors for example.
	acceptPause = 100 * time.Millisecond
)

// transport is memberlist's way to the network. It binds and dials from the node's own address alone: from a VIP's an
// answer would go to another node.
type transport struct {
	udp       *net.UDPConn
	tcp       *net.TCPListener
	bound     netip.AddrPort
	advertise netip.AddrPort
	packets   chan *memberlist.Packet
	streams   chan net.Conn
	refused   atomic.Uint64

	ctx   context.Context // ends with Shutdown
	end   context.CancelFunc
	loops sync.WaitGroup

	mu    sync.Mutex // guards the following fields
	conns map[*stream]struct{}
	taken int // streams that others opened
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

// listen binds TCP and UDP at the same port.
func listen(at, advertise netip.AddrPort) (*transport, error) {
	t := &transport{packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), conns: map[*stream]struct{}{}}
	var err error
	if t.tcp, t.udp, err = bind(at); err != nil {
		return nil, err
	}
	bound := t.tcp.Addr().(*net.TCPAddr).AddrPort()
	t.bound = netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port())
	t.advertise = advertise
	switch {
	case !advertise.IsValid():
		t.advertise = t.bound
	case advertise.Port() == 0:
		t.advertise = netip.AddrPortFrom(advertise.Addr(), t.bound.Port())
	}
	t.ctx, t.end = context.WithCancel(context.Background())
	t.loops.Go(t.accept) // both end with Shutdown
	t.loops.Go(t.receive)
	return t, nil
}

// bind takes a port for both; one that the kernel chooses for TCP may be taken for UDP.
func bind(at netip.AddrPort) (*net.TCPListener, *net.UDPConn, error) {
	const tries = 10
	for try := 1; ; try++ {
		tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		if err != nil {
			return nil, nil, err
		}
		bound := tcp.Addr().(*net.TCPAddr).Port
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.Addr().AsSlice(), Zone: at.Addr().Zone(), Port: bound})
		if err == nil {
			return tcp, udp, nil
		}
		_ = tcp.Close()
		if at.Port() != 0 || try == tries {
			return nil, nil, err
		}
	}
}

func (t *transport) accept() {
	for {
		c, err := t.tcp.Accept()
		switch {
		case err == nil:
			t.hand(c)
		case t.ctx.Err() != nil:
			return
		default:
			t.pause()
		}
	}
}

// hand gives a connection to memberlist, which closes it; one too many is closed here.
func (t *transport) hand(c net.Conn) {
	s := t.keep(c, true)
	if s == nil {
		t.refused.Add(1)
		_ = c.Close()
		return
	}
	select {
	case t.streams <- s:
	case <-t.ctx.Done():
		_ = s.Close()
	}
}

func (t *transport) pause() {
	select {
	case <-time.After(acceptPause):
	case <-t.ctx.Done():
	}
}

func (t *transport) receive() {
	buffer := make([]byte, maxPacket)
	for {
		n, from, err := t.udp.ReadFromUDP(buffer)
		now := time.Now()
		switch {
		case err != nil && t.ctx.Err() != nil:
			return
		case err != nil:
			t.pause()
			continue
		case n == 0:
			continue
		}
		p := &memberlist.Packet{Buf: append([]byte(nil), buffer[:n]...), From: from, Timestamp: now}
		select {
		case t.packets <- p:
		case <-t.ctx.Done():
			return
		}
	}
}

// FinalAdvertiseAddr is where others reach this node.
func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	if t.advertise.Addr().IsUnspecified() {
		return nil, 0, fmt.Errorf("%s is no address that others could reach", t.advertise.Addr())
	}
	return t.advertise.Addr().AsSlice(), int(t.advertise.Port()), nil
}

// WriteTo sends a packet.
func (t *transport) WriteTo(b []byte, to string) (time.Time, error) {
	at, err := netip.ParseAddrPort(to)
	if err != nil {
		return time.Time{}, err
	}
	_, err = t.udp.WriteToUDPAddrPort(b, at)
	return time.Now(), err
}

// WriteToAddress sends a packet to a node.
func (t *transport) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, to.Addr)
}

// PacketCh has the packets that came.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh has the connections that came.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// DialTimeout connects; Shutdown ends that.
func (t *transport) DialTimeout(to string, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.ctx, limit)
	defer cancel()
	d := net.Dialer{}
	if own := t.tcp.Addr().(*net.TCPAddr); !own.IP.IsUnspecified() {
		d.LocalAddr = &net.TCPAddr{IP: own.IP, Zone: own.Zone}
	}
	c, err := d.DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	if s := t.keep(c, false); s != nil {
		return s, nil
	}
	return nil, errors.Join(net.ErrClosed, c.Close())
}

// DialAddressTimeout connects to a node.
func (t *transport) DialAddressTimeout(to memberlist.Address, limit time.Duration) (net.Conn, error) {
	return t.DialTimeout(to.Addr, limit)
}

// Shutdown closes the sockets and every connection, and waits for the loops.
func (t *transport) Shutdown() error {
	t.end()
	err := errors.Join(t.tcp.Close(), t.udp.Close())
	t.mu.Lock()
	conns := t.conns
	t.conns = nil
	t.mu.Unlock()
	for s := range conns {
		_ = s.Conn.Close()
	}
	t.loops.Wait()
	return err
}

// stream is a connection that Shutdown ends, and that brings a bounded number of octets.
type stream struct {
	net.Conn
	t     *transport
	taken bool
	left  int64
}

// keep notes a connection; nil where there is no place for another, or all is over.
func (t *transport) keep(c net.Conn, taken bool) *stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conns == nil || taken && t.taken >= maxStreams {
		return nil
	}
	if taken {
		t.taken++
	}
	s := &stream{Conn: c, t: t, taken: taken, left: maxStream}
	t.conns[s] = struct{}{}
	return s
}

// Read reads; it has one reader at a time.
func (s *stream) Read(b []byte) (int, error) {
	if s.left <= 0 {
		return 0, fmt.Errorf("more than %d octets: %w", maxStream, io.ErrShortBuffer)
	}
	n, err := s.Conn.Read(b[:min(int64(len(b)), s.left)])
	s.left -= int64(n)
	return n, err
}

// Close closes, and makes room for another.
func (s *stream) Close() error {
	s.t.mu.Lock()
	if _, kept := s.t.conns[s]; kept {
		delete(s.t.conns, s)
		if s.taken {
			s.t.taken--
		}
	}
	s.t.mu.Unlock()
	return s.Conn.Close()
}
