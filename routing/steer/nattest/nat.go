// Package nattest is an address translator on loopback, for tests: a client behind it has another address whenever the test
// says so, as one behind a home router that forgets its mapping.
//
// It imports nothing of anyedge.
package nattest

import (
	"net"
	"net/netip"
	"sync"
	"testing"
)

// NAT stands between one client and the servers that its datagrams are led to. Its methods may be called concurrently.
type NAT struct {
	inside  *net.UDPConn // the client sends here
	reading sync.WaitGroup

	mu      sync.Mutex // guards the following fields
	to      netip.AddrPort
	outside *net.UDPConn
	client  netip.AddrPort
}

// New starts a NAT that leads to a server, and ends with the test.
func New(t testing.TB, to netip.AddrPort) *NAT {
	t.Helper()
	n := &NAT{inside: listen(t), to: to}
	n.Rebind(t)
	n.reading.Go(func() { // ends with the socket
		b := make([]byte, 2048)
		for {
			size, from, err := n.inside.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			n.mu.Lock()
			n.client = from
			_, _ = n.outside.WriteToUDPAddrPort(b[:size], n.to)
			n.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = n.inside.Close()
		_ = n.outside.Close()
		n.reading.Wait()
	})
	return n
}

func listen(t testing.TB) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Addr is where the client sends to.
func (n *NAT) Addr() netip.AddrPort { return n.inside.LocalAddr().(*net.UDPAddr).AddrPort() }

// Route leads what the client sends to another server from now on.
func (n *NAT) Route(to netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.to = to
}

// Rebind gives the client another address, as the servers see it. What comes to the former one is lost.
func (n *NAT) Rebind(t testing.TB) {
	t.Helper()
	outside := listen(t)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.outside != nil {
		_ = n.outside.Close()
	}
	n.outside = outside
	n.reading.Go(func() { // ends with the socket
		b := make([]byte, 2048)
		for {
			size, err := outside.Read(b)
			if err != nil {
				return
			}
			n.mu.Lock()
			_, _ = n.inside.WriteToUDPAddrPort(b[:size], n.client)
			n.mu.Unlock()
		}
	})
}
