//go:build linux

package steer_test

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/sys/unix"

	"github.com/anyedge/anyedge/routing/steer"
)

// startWorkers starts a node whose VIP has so many sockets, each as a node of its own with the others' Steerer. On a VIP they
// have one port, and the kernel chooses; here each has its own, and the test does.
func startWorkers(t *testing.T, host uint16, k steer.Keys, count int, adjust func(*steer.Options)) []*node {
	t.Helper()
	all := []*node{startNodeWith(t, host, k, adjust)}
	for w := 1; w < count; w++ {
		socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		n := *all[0]
		n.worker = uint8(w)
		if n.conn, err = n.Wrap(socket, vip, n.worker); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.conn.Close() })
		all = append(all, &n)
	}
	return all
}

func never(*steer.Options) {}

// sharePort lets sockets share a port.
func sharePort(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
}

// A connection goes on wherever the kernel delivers its packets, with the client at another address.
func TestConnectionStaysWithItsWorker(t *testing.T) {
	all := startWorkers(t, 1, keys(t, root, 1), 3, never)
	for _, n := range all {
		n.serve(t)
	}
	r := newRoute(t)
	c := dial(t, r, all[1])
	for _, to := range []*node{all[1], all[0], all[2], all[1]} {
		before := all[0].Verdicts()[vip][steer.OtherWorker]
		r.flip(to)
		if n, err := say(t.Context(), c, 1<<20); n != 1<<20 || err != nil {
			t.Fatalf("by worker %d: %d octets came back: %v", to.worker, n, err)
		}
		handed := func() bool { return all[0].Verdicts()[vip][steer.OtherWorker]-before > 700 }
		if to != all[1] {
			eventually(t, "the datagrams count as handed over", handed) // after they were
		} else if handed() {
			t.Errorf("datagrams are handed over by worker %d, which has the connection", to.worker)
		}
	}
	if n := all[0].Detours()[vip]; n != 0 {
		t.Errorf("%d clients are on a detour by another node", n)
	}
}

// What another node forwards comes to the worker that has the connection, and the detour is over as soon as the client's
// packets come here by themselves, to whatever worker.
func TestTunnelLeadsToTheWorker(t *testing.T) {
	k := keys(t, root, 1)
	rehome := func(o *steer.Options) { o.Rehome = time.Millisecond }
	all, b := startWorkers(t, 1, k, 3, rehome), startNode(t, 2, k)
	for _, n := range all {
		n.serve(t)
	}
	introduce(t, all[0], b)
	b.serve(t)
	for _, owner := range all {
		r := newRoute(t)
		c := dial(t, r, owner)
		r.flip(b)
		forwarded := b.Verdicts()[vip][steer.Forwarded]
		if n, err := say(t.Context(), c, 100_000); n != 100_000 || err != nil {
			t.Fatalf("worker %d: %d octets came back: %v", owner.worker, n, err)
		}
		eventually(t, "the datagrams count as forwarded", func() bool { // after they have gone
			return b.Verdicts()[vip][steer.Forwarded]-forwarded >= 70
		})
		eventually(t, "the owner knows of the detour", func() bool {
			for _, w := range all {
				if n := len(w.conn.Detoured()); n > 0 != (w == owner) {
					return false
				}
			}
			return true
		})
		r.flip(all[(owner.worker+1)%3])
		if _, err := say(t.Context(), c, 10); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the detour is over", func() bool { return all[0].Detours()[vip] == 0 })
		_ = c.CloseWithError(0, "")
	}
	if n := all[0].Verdicts()[vip][steer.OtherWorker]; n == 0 {
		t.Error("nothing was handed over")
	}
}

// A worker that is no more has no connections: what is of them is quic-go's to answer, wherever it comes in.
func TestWorkerThatIsNoMore(t *testing.T) {
	k := keys(t, root, 1)
	all, b := startWorkers(t, 1, k, 2, never), startNode(t, 2, k)
	introduce(t, all[0], b)
	go drop(b.conn) // ends with the node
	lost := short(reader(t, k, steer.ServerID{NodeID: steer.NodeID{Metro: 1, Host: 1}, Generation: 1, Worker: 1}).Make(), 100)
	if err := all[1].conn.Close(); err != nil {
		t.Fatal(err)
	}
	from, ms := client(t), messages()
	for _, to := range []*node{all[0], b} {
		send(t, from, to, lost, 0)
		if got := read(t, all[0].conn, ms); len(got) != 1 {
			t.Fatalf("%d datagrams", len(got))
		}
	}
	if v := all[0].Verdicts()[vip]; v[steer.Own] != 1 || v[steer.OtherWorker] != 0 {
		t.Errorf("%v", v)
	}
}

// A worker that doesn't read holds up none of the others, and what it can't hold is counted.
func TestWorkerThatHangs(t *testing.T) {
	k := keys(t, root, 1)
	all := startWorkers(t, 1, k, 2, never)
	go drop(all[0].conn) // ends with the node
	of := func(worker uint8) []byte {
		return short(reader(t, k, steer.ServerID{NodeID: steer.NodeID{Metro: 1, Host: 1}, Generation: 1, Worker: worker}).Make(), 100)
	}
	from := client(t)
	for i := range uint64(50) {
		send(t, from, all[0], bytes.Repeat(of(1), 30), 100)
		send(t, from, all[0], bytes.Repeat(of(0), 30), 100)
		eventually(t, "both are counted", func() bool {
			v := all[0].Verdicts()[vip]
			return v[steer.Own] == 30*(i+1) && v[steer.OtherWorker]+v[steer.Limited] == 30*(i+1)
		})
	}
	if v := all[0].Verdicts()[vip]; v[steer.Limited] != 1500-1024 {
		t.Errorf("%v", v)
	}
}

func TestWorkersAreNumbered(t *testing.T) {
	all := startWorkers(t, 1, keys(t, root, 1), 2, never)
	if _, err := all[0].Wrap(client(t), vip, steer.MaxWorkers); err == nil || !strings.Contains(err.Error(), "at most 64") {
		t.Errorf("%v", err)
	}
	seen := map[string]bool{}
	for _, n := range all {
		for range 100 {
			id, err := n.ConnectionIDs(n.worker).GenerateConnectionID()
			if err != nil || id.Len() != steer.CIDLen || seen[id.String()] {
				t.Fatalf("%v, %v", id, err)
			}
			seen[id.String()] = true
			if _, owner := reader(t, keys(t, root, 1), steer.ServerID{}).Classify(short(id.Bytes(), 100)); owner.Worker != n.worker {
				t.Fatalf("worker %d made a connection ID of %v", n.worker, owner)
			}
		}
	}
	other := netip.AddrPortFrom(vip.Addr(), vip.Port()+1)
	if _, err := all[0].Wrap(client(t), other, 1); err != nil {
		t.Errorf("a worker of another address: %v", err)
	}
}

// What a process hands to the one before it comes to the worker that has the connection there.
func TestWorkersOfTheFormerProcess(t *testing.T) {
	k := steer.LocalKeys()
	workers := func(generation uint8, socket func(worker int) *net.UDPConn) (list []*node) {
		list = append(list, local(t, generation, k, socket(0)))
		n := *list[0]
		n.worker = 1
		var err error
		if n.conn, err = n.Wrap(socket(1), vip, n.worker); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.conn.Close() })
		list = append(list, &n)
		for _, n := range list {
			n.serve(t)
		}
		return list
	}
	old := workers(1, func(int) *net.UDPConn { return bound(t) })
	conns := []*quic.Conn{dial(t, newRoute(t), old[0]), dial(t, newRoute(t), old[1])}
	a, b := link(t)
	if err := old[0].HandOver(a, all); err != nil {
		t.Fatal(err)
	}
	next := workers(2, func(worker int) *net.UDPConn { return again(t, old[worker].conn.UDPConn) })
	next[0].Follow(1, b)
	conns = append(conns, dial(t, newRoute(t), next[0]), dial(t, newRoute(t), next[1]))
	for i, c := range conns {
		if n, err := say(t.Context(), c, 100_000); n != 100_000 || err != nil {
			t.Errorf("connection %d: %d octets came back: %v", i, n, err)
		}
	}
}
