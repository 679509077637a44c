package steer_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing/steer"
)

// vip is the address that clients would use; on one host each node has another one.
var (
	vip  = netip.MustParseAddrPort("198.51.100.10:443")
	vip6 = netip.MustParseAddrPort("[2001:db8:100::10]:443")
)

// node is one node of a fleet on loopback.
type node struct {
	*steer.Steerer
	journal *health.Journal
	conn    *steer.Conn
	worker  uint8 // of conn
	stop    func()
}

func startNode(t testing.TB, host uint16, k steer.Keys) *node {
	t.Helper()
	return startNodeWith(t, host, k, func(*steer.Options) {})
}

func startNodeWith(t testing.TB, host uint16, k steer.Keys, adjust func(*steer.Options)) *node {
	t.Helper()
	o := steer.Options{Metro: 1, Host: host, Address: netip.MustParseAddr("127.0.0.1"), MaxDatagram: steer.MaxDatagram, Rate: steer.MaxRate}
	adjust(&o)
	journal := health.NewJournal(16)
	s, err := steer.Open(o, 1, k, journal, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: o.Address.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	at := vip
	if o.Address.Is6() {
		at = vip6
	}
	conn, err := s.Wrap(socket, at, 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }() // stop waits for it
	n := &node{Steerer: s, journal: journal, conn: conn}
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	})
	t.Cleanup(n.stop)
	return n
}

// introduce tells nodes of each other, and waits until they have met.
func introduce(t testing.TB, nodes ...*node) {
	t.Helper()
	for i, n := range nodes {
		var peers []steer.Peer
		for j, other := range nodes {
			if i != j {
				peers = append(peers, steer.Peer{Name: string(rune('a' + j)), ID: steer.NodeID{Metro: 1, Host: uint16(j + 1)}, Tunnel: other.Addr()})
			}
		}
		if err := n.Update(peers); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		eventually(t, "the nodes meet", func() bool {
			for _, p := range n.Peers() {
				if p.RTT == 0 {
					return false
				}
			}
			return true
		})
	}
}

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// serve echoes every stream over QUIC.
func (n *node) serve(t testing.TB) {
	t.Helper()
	tr := &quic.Transport{Conn: n.conn, ConnectionIDGenerator: n.ConnectionIDs(n.worker), StatelessResetKey: n.ResetKey(vip)}
	ln, err := tr.Listen(serverTLS(t), &quic.Config{MaxIdleTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept(context.Background())
			if err != nil {
				return // closed
			}
			all.Go(func() { echo(c) })
		}
	})
	t.Cleanup(func() {
		_ = tr.Close()
		n.stop()
		_ = n.conn.Close()
		all.Wait()
	})
}

func echo(c *quic.Conn) {
	for {
		s, err := c.AcceptStream(context.Background())
		if err != nil {
			return
		}
		_, _ = io.Copy(s, s)
		_ = s.Close()
	}
}

// route is a client's socket whose datagrams a route carries to a node of choice, whatever their address.
type route struct {
	*net.UDPConn
	to  atomic.Pointer[net.UDPAddr]
	tap atomic.Pointer[func([]byte)] // sees what is sent
}

func newRoute(t testing.TB) *route {
	t.Helper()
	return newRouteFrom(t, netip.MustParseAddr("127.0.0.1"))
}

func newRouteFrom(t testing.TB, a netip.Addr) *route {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: a.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &route{UDPConn: c}
}

func (r *route) flip(n *node) { r.to.Store(n.conn.LocalAddr().(*net.UDPAddr)) }

func (r *route) WriteMsgUDP(b, oob []byte, a *net.UDPAddr) (int, int, error) {
	if tap := r.tap.Load(); tap != nil {
		(*tap)(b)
	}
	if to := r.to.Load(); to != nil {
		a = to
	}
	return r.UDPConn.WriteMsgUDP(b, oob, a)
}

// dial connects to n.
func dial(t testing.TB, r *route, n *node) *quic.Conn {
	t.Helper()
	tr := &quic.Transport{Conn: r}
	t.Cleanup(func() { _ = tr.Close() })
	c, err := tr.Dial(t.Context(), n.conn.LocalAddr(), clientTLS(), &quic.Config{MaxIdleTimeout: time.Minute, KeepAlivePeriod: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// say sends so many octets and returns how many come back.
func say(ctx context.Context, c *quic.Conn, octets int64) (int64, error) {
	s, err := c.OpenStreamSync(ctx)
	if err != nil {
		return 0, err
	}
	sent := make(chan error, 1)
	go func() { // ends with the stream; read below
		_, err := io.Copy(s, io.LimitReader(zeros{}, octets))
		sent <- errors.Join(err, s.Close())
	}()
	n, err := io.Copy(io.Discard, s)
	return n, errors.Join(err, <-sent)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// A connection lives on while the route carries its packets to another node, and back.
func TestConnectionSurvivesTheRoute(t *testing.T) {
	t.Run("IPv4", func(t *testing.T) { survive(t, netip.MustParseAddr("127.0.0.1"), vip) })
	t.Run("IPv6", func(t *testing.T) { survive(t, netip.IPv6Loopback(), vip6) })
}

func survive(t *testing.T, loopback netip.Addr, vip netip.AddrPort) {
	k := keys(t, root, 1)
	on := func(o *steer.Options) { o.Address = loopback }
	a, b := startNodeWith(t, 1, k, on), startNodeWith(t, 2, k, on)
	introduce(t, a, b)
	a.serve(t)
	b.serve(t)
	r := newRouteFrom(t, loopback)
	c := dial(t, r, a)
	for _, through := range []*node{a, b, a, b} {
		r.flip(through)
		if n, err := say(t.Context(), c, 1<<20); n != 1<<20 || err != nil {
			t.Fatalf("%d octets came back: %v", n, err)
		}
	}
	if v := b.Verdicts()[vip][steer.Forwarded]; v < 1000 {
		t.Errorf("node b forwarded %d datagrams", v)
	}
	if p := a.Peers()[0]; p.Injected < 1000 || p.Dead {
		t.Errorf("node a took %+v", p)
	}
	for reason, n := range a.Refused() {
		if n > 0 && reason != steer.OtherEpoch {
			t.Errorf("%v: %d", reason, n)
		}
	}
}

// Handshakes whose packets go to one node and to the other complete.
func TestHandshakesUnderAFlappingRoute(t *testing.T) {
	k := keys(t, root, 1)
	a, b := startNode(t, 1, k), startNode(t, 2, k)
	introduce(t, a, b)
	a.serve(t)
	b.serve(t)
	for range 20 {
		r := newRoute(t)
		ctx, stop := context.WithCancel(t.Context())
		flapping := make(chan struct{})
		go func() { // ends with ctx; waited for below
			defer close(flapping)
			for i := 0; ctx.Err() == nil; i++ {
				r.flip([]*node{a, b}[i%2])
				time.Sleep(time.Millisecond)
			}
		}()
		c := dial(t, r, a)
		n, err := say(ctx, c, 10_000)
		stop()
		<-flapping
		if n != 10_000 || err != nil {
			t.Fatalf("%d octets came back: %v", n, err)
		}
		_ = c.CloseWithError(0, "")
	}
}

// Who goes says goodbye, and the others tell its clients at once.
func TestDeadOwnerIsAnsweredFor(t *testing.T) {
	k := keys(t, root, 1)
	a, b := startNode(t, 1, k), startNode(t, 2, k)
	introduce(t, a, b)
	a.serve(t)
	b.serve(t)
	r := newRoute(t)
	c := dial(t, r, a)
	if _, err := say(t.Context(), c, 1); err != nil { // the handshake is confirmed: long headers aren't answered
		t.Fatal(err)
	}
	a.stop()
	eventually(t, "node b knows that a is gone", func() bool { return b.Peers()[0].Dead })
	if e := b.journal.Since(0); len(e) != 1 || e[0].Subject != "a" || !strings.Contains(e[0].Text, "goodbye") {
		t.Errorf("events: %+v", e)
	}
	r.flip(b)
	<-c.Context().Done() // its keep-alives are answered by a reset
	if reset := new(quic.StatelessResetError); !errors.As(context.Cause(c.Context()), &reset) {
		t.Errorf("the connection ended by %v: %v %+v", context.Cause(c.Context()), b.Verdicts(), b.Peers())
	}
}

func serverTLS(t testing.TB) *tls.Config {
	t.Helper()
	return &tls.Config{Certificates: []tls.Certificate{certificate(t)}, NextProtos: []string{"echo"}}
}

func clientTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"echo"}} // of a test's own server
}

// TestRenumber: nodes that begin without numbers meet under those that they get, and another number is another node.
func TestRenumber(t *testing.T) {
	k := keys(t, root, 1)
	a, b := startNode(t, 0, k), startNode(t, 0, k)
	if id := a.ID(); id != (steer.NodeID{}) {
		t.Errorf("%v at first", id)
	}
	for i, n := range []*node{a, b} {
		if err := n.Renumber(steer.NodeID{Metro: 1, Host: uint16(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	introduce(t, a, b)
	// b moves: a learns of it, and so they meet again.
	moved := steer.NodeID{Metro: 1, Host: 7}
	if err := b.Renumber(moved); err != nil {
		t.Fatal(err)
	}
	if err := a.Update([]steer.Peer{{Name: "b", ID: moved, Tunnel: b.Addr()}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the nodes meet again", func() bool { return a.Peers()[0].RTT > 0 })
	if err := b.Update([]steer.Peer{{Name: "c", ID: moved, Tunnel: a.Addr()}}); err == nil {
		t.Error("another node has this one's numbers")
	}
}

// A client on a detour is told of after a time, and no more once it comes by itself.
func TestDetoured(t *testing.T) {
	k := keys(t, root, 1)
	rehome := func(o *steer.Options) { o.Rehome = 50 * time.Millisecond }
	a, b := startNodeWith(t, 1, k, rehome), startNodeWith(t, 2, k, rehome)
	introduce(t, a, b)
	a.serve(t)
	b.serve(t)
	r := newRoute(t)
	c := dial(t, r, a)
	if list := a.conn.Detoured(); len(list) != 0 {
		t.Errorf("%v before the route changed", list)
	}
	r.flip(b)
	moved := func() bool {
		if _, err := say(t.Context(), c, 10); err != nil {
			t.Fatal(err)
		}
		list := a.conn.Detoured()
		return len(list) == 1 && list[0].String() == r.LocalAddr().String()
	}
	eventually(t, "the owner knows", moved)
	if n := a.Detours()[vip]; n != 1 || b.Detours()[vip] != 0 {
		t.Errorf("%v, %v", a.Detours(), b.Detours())
	}
	r.flip(a)
	eventually(t, "the detour is over", func() bool { return !moved() && a.Detours()[vip] == 0 })
}
