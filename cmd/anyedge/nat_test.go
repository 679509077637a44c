package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// nat stands between a client and a node, as an address translator: the node sees an address of the nat's, which rebind
// replaces.
type nat struct {
	inside *net.UDPConn // the client sends here
	to     netip.AddrPort

	reading sync.WaitGroup
	mu      sync.Mutex // guards the following fields
	outside *net.UDPConn
	client  netip.AddrPort
}

func newNAT(t *testing.T, to netip.AddrPort) *nat {
	t.Helper()
	n := &nat{inside: natSocket(t), to: to}
	n.rebind(t)
	n.reading.Go(func() { // ends with the socket
		b := make([]byte, 2048)
		for {
			count, from, err := n.inside.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			n.mu.Lock()
			n.client = from
			_, _ = n.outside.WriteToUDPAddrPort(b[:count], n.to)
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

func natSocket(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rebind gives the client another address, as the node sees it. What comes to the former one is lost.
func (n *nat) rebind(t *testing.T) {
	t.Helper()
	outside := natSocket(t)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.outside != nil {
		_ = n.outside.Close()
	}
	n.outside = outside
	n.reading.Go(func() { // ends with the socket
		b := make([]byte, 2048)
		for {
			count, err := outside.Read(b)
			if err != nil {
				return
			}
			n.mu.Lock()
			_, _ = n.inside.WriteToUDPAddrPort(b[:count], n.client)
			n.mu.Unlock()
		}
	})
}

// roamer is a client that speaks H3 from behind a nat.
type roamer struct {
	*nat
	e         *edge
	transport *http3.Transport
	dials     int
}

func (e *edge) roamer() *roamer {
	e.t.Helper()
	r := &roamer{nat: newNAT(e.t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), e.https)), e: e}
	r.transport = &http3.Transport{
		TLSClientConfig: e.client().clientTLS(),
		Dial: func(ctx context.Context, to string, config *tls.Config, qconfig *quic.Config) (*quic.Conn, error) {
			r.dials++
			return quic.DialAddrEarly(ctx, to, config, qconfig)
		},
	}
	e.t.Cleanup(func() { _ = r.transport.Close() })
	return r
}

// get asks over the one connection that the roamer has.
func (r *roamer) get(host, path string) {
	r.e.t.Helper()
	req, err := http.NewRequestWithContext(r.e.t.Context(), http.MethodGet, "https://"+r.inside.LocalAddr().String()+path, nil)
	if err != nil {
		r.e.t.Fatal(err)
	}
	req.Host = host
	resp, err := r.transport.RoundTrip(req)
	if err != nil {
		r.e.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || r.dials != 1 {
		r.e.t.Fatalf("%s, after connecting %d times", resp.Status, r.dials)
	}
}
