//go:build linux

package steer_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/sys/unix"

	"github.com/anyedge/anyedge/routing/steer"
)

// link returns both ends of a link between two processes.
func link(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	return end(t, fds[0]), end(t, fds[1])
}

func end(t *testing.T, fd int) *net.UnixConn {
	t.Helper()
	f := os.NewFile(uintptr(fd), "link")
	c, err := net.FileConn(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.UnixConn)
}

// again is a second socket that is the same for the kernel, as another process would get it.
func again(t *testing.T, socket *net.UDPConn) *net.UDPConn {
	t.Helper()
	f, err := socket.File()
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.FilePacketConn(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return c.(*net.UDPConn)
}

// local starts a process's Steerer on a socket.
func local(t *testing.T, generation uint8, k steer.Keys, socket *net.UDPConn) *node {
	t.Helper()
	s, err := steer.Local(generation, k, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := s.Wrap(socket, vip, 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }() // stop waits for it
	n := &node{Steerer: s, conn: conn}
	n.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil
		_ = conn.Close()
	}
	t.Cleanup(n.stop)
	return n
}

func all(netip.AddrPort) bool { return true }

func bound(t *testing.T) *net.UDPConn {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return socket
}

// Connections of the process that goes live on while the one that comes reads the socket, and takes new ones; when it is
// gone, its clients are told. A hand-over that is taken back leaves all as it was.
func TestProcessesFollowEachOther(t *testing.T) {
	k, socket := steer.LocalKeys(), bound(t)
	old := local(t, 1, k, socket)
	old.serve(t)
	before := dial(t, newRoute(t), old)
	exchange := func(c *quic.Conn) {
		t.Helper()
		if n, err := say(t.Context(), c, 1<<20); n != 1<<20 || err != nil {
			t.Fatalf("%d octets came back: %v", n, err)
		}
	}
	exchange(before)

	a, b := link(t)
	if err := old.HandOver(a, all); err != nil {
		t.Fatal(err)
	}
	if err := old.HandOver(a, all); err == nil {
		t.Error("handed over twice")
	}
	_ = b.Close() // the new process dies: the old one reads again by itself
	exchange(before)
	exchange(dial(t, newRoute(t), old))

	a, b = link(t)
	eventually(t, "taken back", func() bool { return old.HandOver(a, all) == nil })
	old.TakeBack()
	_ = b.Close()
	exchange(before)

	a, b = link(t)
	if err := old.HandOver(a, all); err != nil {
		t.Fatal(err)
	}
	next := local(t, 2, k, again(t, socket))
	next.Follow(1, b)
	next.serve(t)
	exchange(before)
	after := dial(t, newRoute(t), next)
	exchange(after)
	exchange(before)
	counts := next.Verdicts()[vip]
	if counts[steer.Former] == 0 || counts[steer.Own] == 0 || counts[steer.OldGeneration] != 0 {
		t.Errorf("verdicts: %v", counts)
	}

	// The old process ends without a word to its clients.
	old.stop()
	if _, err := say(t.Context(), before, 1); !errors.As(err, new(*quic.StatelessResetError)) {
		t.Errorf("the former process's client got %v, want a stateless reset", err)
	}
	exchange(after)
}

// A socket that the other process doesn't take is read as before.
func TestSocketThatIsNotHandedOver(t *testing.T) {
	old := local(t, 1, steer.LocalKeys(), bound(t))
	old.serve(t)
	c := dial(t, newRoute(t), old)
	a, _ := link(t)
	if err := old.HandOver(a, func(netip.AddrPort) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if n, err := say(t.Context(), c, 1<<16); n != 1<<16 || err != nil {
		t.Fatalf("%d octets came back: %v", n, err)
	}
}

// A transport ends while another process reads its socket.
func TestTransportEndsWhileHandedOver(t *testing.T) {
	old := local(t, 1, steer.LocalKeys(), bound(t))
	tr := &quic.Transport{Conn: old.conn, ConnectionIDGenerator: old.ConnectionIDs(0)}
	ln, err := tr.Listen(serverTLS(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := link(t)
	if err := old.HandOver(a, all); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- errors.Join(ln.Close(), tr.Close()) }() // the test waits for it
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the transport doesn't end")
	}
}

// Two nodes of a fleet steer to each other while one of them is replaced: what comes by a detour reaches the former process.
func TestUpgradeOnADetour(t *testing.T) {
	k, began := keys(t, root, 1), time.Now()
	a, b := startNode(t, 1, k), startNode(t, 2, k)
	introduce(t, a, b)
	a.serve(t)
	b.serve(t)
	r := newRoute(t)
	c := dial(t, r, a)
	r.flip(b)
	// Processes that follow each other within 67 ms could not be told apart in the tunnel; none starts so soon.
	eventually(t, "a later epoch", func() bool { return time.Since(began) > 200*time.Millisecond })
	if _, err := say(t.Context(), c, 1<<16); err != nil {
		t.Fatal(err)
	}

	from, to := link(t)
	if err := a.HandOver(from, all); err != nil {
		t.Fatal(err)
	}
	o := steer.Options{Metro: 1, Host: 1, Address: netip.MustParseAddr("127.0.0.1"), MaxDatagram: steer.MaxDatagram, Rate: steer.MaxRate}
	s, err := steer.OpenOn(again(t, a.Tunnel()), o, 2, k, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.Follow(1, to)
	conn, err := s.Wrap(again(t, a.conn.UDPConn), vip, 0)
	if err != nil {
		t.Fatal(err)
	}
	next := &node{Steerer: s, conn: conn}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }() // ends below
	next.stop = func() {}
	next.serve(t)
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	}()
	if err := next.Update([]steer.Peer{{Name: "b", ID: steer.NodeID{Metro: 1, Host: 2}, Tunnel: b.Addr()}}); err != nil {
		t.Fatal(err)
	}
	for _, through := range []*node{b, next, b} {
		r.flip(through)
		if n, err := say(t.Context(), c, 1<<20); n != 1<<20 || err != nil {
			t.Fatalf("%d octets came back: %v", n, err)
		}
	}
	if b.Peers()[0].Dead {
		t.Error("the other node takes this one for dead")
	}
}

// A link that nobody reads drops what there is no room for, and waits for nobody.
func TestLinkIsFull(t *testing.T) {
	k, socket := steer.LocalKeys(), bound(t)
	old := local(t, 1, k, socket)
	old.serve(t)
	c := dial(t, newRoute(t), old)
	a, b := link(t)
	if err := old.HandOver(a, all); err != nil {
		t.Fatal(err)
	}
	next := local(t, 2, k, again(t, socket))
	unread, full := link(t)
	defer unread.Close()
	defer b.Close()
	next.Follow(1, full)
	next.serve(t)
	s, err := c.OpenUniStream()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(s, zeros{}) }() // ends with the connection
	eventually(t, "datagrams of the old process wait", func() bool { return next.Verdicts()[vip][steer.Former] > 0 })
	if n, err := say(t.Context(), dial(t, newRoute(t), next), 1<<16); n != 1<<16 || err != nil {
		t.Fatalf("%d octets came back: %v", n, err)
	}
	_ = c.CloseWithError(0, "")
}
