package bfd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	singleHopPort = 3784 // RFC 5881 §4
	multihopPort  = 4784 // RFC 5883 §5
	// The range of source ports, RFC 5881 §4: some routers look.
	firstSourcePort = 49152
	lastSourcePort  = 65535
	// maxTTL is what every packet is sent with; who gets it with less isn't next door (RFC 5881 §5, RFC 5082).
	maxTTL = 255
	// trafficClass is what routers give their control traffic: CS6 (RFC 4594 §3.1).
	trafficClass = 48 << 2
)

// door is where packets come in.
type door struct{ multihop, v6 bool }

func (d door) port() uint16 {
	if d.multihop {
		return multihopPort
	}
	return singleHopPort
}

// network is "udp4" or "udp6", and the address that stands for all of its.
func (d door) network() (string, netip.Addr) {
	if d.v6 {
		return "udp6", netip.IPv6Unspecified()
	}
	return "udp4", netip.IPv4Unspecified()
}

// received is a datagram. Its octets are good until the next.
type received struct {
	from   netip.Addr
	ttl    int // 0 if that isn't known
	octets []byte
}

// wire is how packets come and go. udp is the real one.
type wire interface {
	listen(d door) (listener, error)
	dial(p *Peer) (sender, error)
}

type listener interface {
	read() (received, error) // net.ErrClosed after close
	// waiting calls take with each datagram that is there to be read, and doesn't wait for more. It may be called beside
	// read, and by several.
	waiting(take func(received))
	close()
}

type sender interface {
	send(octets []byte) error
	close()
}

// udp is the network.
type udp struct{}

func (udp) listen(d door) (listener, error) {
	network, all := d.network()
	l, err := listenUDP(network, netip.AddrPortFrom(all, d.port()))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("BFD: %w: does another BFD daemon run on this host?", err)
	}
	if err != nil {
		return nil, fmt.Errorf("BFD: %w", err)
	}
	return l, nil
}

// socket is a UDP socket that sends with, and tells, the number of hops.
type socket struct {
	conn       *net.UDPConn
	v6         bool
	to         netip.AddrPort // of what is sent
	data, more []byte
}

func newSocket(network string, local netip.AddrPort) (*socket, error) {
	var c net.ListenConfig
	conn, err := c.ListenPacket(context.Background(), network, local.String()) // binding doesn't wait
	if err != nil {
		return nil, err
	}
	return &socket{conn: conn.(*net.UDPConn), v6: network == "udp6"}, nil
}

func listenUDP(network string, local netip.AddrPort) (*socket, error) {
	s, err := newSocket(network, local)
	if err != nil {
		return nil, err
	}
	if s.v6 {
		err = ipv6.NewPacketConn(s.conn).SetControlMessage(ipv6.FlagHopLimit, true)
	} else {
		err = ipv4.NewPacketConn(s.conn).SetControlMessage(ipv4.FlagTTL, true)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("ask for the TTL of what %s receives: %w", local, err)
	}
	s.data, s.more = make([]byte, 512), make([]byte, 128)
	return s, nil
}

func (s *socket) read() (received, error) {
	n, more, _, from, err := s.conn.ReadMsgUDPAddrPort(s.data, s.more)
	if err != nil {
		return received{}, err
	}
	return received{from.Addr().Unmap(), s.hops(s.more[:more]), s.data[:n]}, nil
}

// hops is the TTL or hop limit that a datagram came with.
func (s *socket) hops(control []byte) int {
	if s.v6 {
		var m ipv6.ControlMessage
		if m.Parse(control) == nil {
			return m.HopLimit
		}
		return 0
	}
	var m ipv4.ControlMessage
	if m.Parse(control) == nil {
		return m.TTL
	}
	return 0
}

// dial opens the socket that a session sends from, on a port of its own for as long as it lives.
func (udp) dial(p *Peer) (sender, error) {
	network, local := p.door().network()
	if p.Local.IsValid() {
		local = p.Local
	}
	var s *socket
	var err error
	for range 16 { // ports that may be taken
		port := firstSourcePort + rand.N(lastSourcePort-firstSourcePort+1)
		s, err = newSocket(network, netip.AddrPortFrom(local, uint16(port)))
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	s.to = netip.AddrPortFrom(p.Address, p.door().port())
	if err := s.dress(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// dress sets what the packets' headers say.
func (s *socket) dress() error {
	if s.v6 {
		c := ipv6.NewConn(s.conn)
		return errors.Join(c.SetHopLimit(maxTTL), c.SetTrafficClass(trafficClass))
	}
	c := ipv4.NewConn(s.conn)
	return errors.Join(c.SetTTL(maxTTL), c.SetTOS(trafficClass))
}

func (s *socket) send(octets []byte) error {
	_, err := s.conn.WriteToUDPAddrPort(octets, s.to)
	return err
}

func (s *socket) close() { _ = s.conn.Close() } // nothing is buffered that could be lost
