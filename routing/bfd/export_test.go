package bfd

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// NoJitter has m send exactly at its interval, by a number that isn't below 1.
func NoJitter(m *Machine) { Jitter(m, func() float64 { return 1 }) }

// Jitter has m draw from random.
func Jitter(m *Machine, random func() float64) {
	m.random = random
	m.draw()
}

// Listener is a listening socket on a port that the kernel chose.
type Listener struct{ socket *socket }

// Listen listens on the loopback address a.
func Listen(a netip.Addr) (*Listener, error) {
	network := "udp4"
	if a.Is6() {
		network = "udp6"
	}
	s, err := listenUDP(network, netip.AddrPortFrom(a, 0))
	return &Listener{s}, err
}

func (l *Listener) Read() (netip.Addr, int, []byte, error) {
	r, err := l.socket.read()
	return r.from, r.ttl, r.octets, err
}

// Waiting tells what is there to be read now.
func (l *Listener) Waiting() (list []string) {
	l.socket.waiting(func(r received) { list = append(list, fmt.Sprintf("%s TTL %d %x", r.from, r.ttl, r.octets)) })
	return list
}

func (l *Listener) Close() { l.socket.close() }

// SendFrom sends to l as a session would, but for another TTL if that isn't 255, and tells its source port.
func (l *Listener) SendFrom(a netip.Addr, ttl int, octets []byte) (uint16, error) {
	opened, err := udp{}.dial(&Peer{Address: a, Local: a})
	if err != nil {
		return 0, err
	}
	defer opened.close()
	s := opened.(*socket)
	s.to = netip.AddrPortFrom(a, l.socket.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	if ttl != maxTTL && s.v6 {
		err = ipv6.NewConn(s.conn).SetHopLimit(ttl)
	} else if ttl != maxTTL {
		err = ipv4.NewConn(s.conn).SetTTL(ttl)
	}
	if err != nil {
		return 0, err
	}
	return s.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port(), s.send(octets)
}
