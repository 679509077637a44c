//go:build linux

package steer_test

import (
	"bytes"
	"crypto/rand"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/routing/steer"
	"github.com/anyedge/anyedge/routing/steer/nattest"
)

// detour is a connection of node a's whose packets come by node b.
type detour struct {
	a, b *node
	r    *route
	c    *quic.Conn
}

func newDetour(t *testing.T) *detour {
	t.Helper()
	k := keys(t, root, 1)
	d := &detour{a: startNode(t, 1, k), b: startNode(t, 2, k), r: newRoute(t)}
	introduce(t, d.a, d.b)
	d.a.serve(t)
	d.b.serve(t)
	d.c = dial(t, d.r, d.a)
	d.lives(t, "before the route changes")
	d.r.flip(d.b)
	d.lives(t, "once the route has changed")
	return d
}

// lives checks that the connection goes on.
func (d *detour) lives(t *testing.T, when string) {
	t.Helper()
	if n, err := say(t.Context(), d.c, 100_000); n != 100_000 || err != nil {
		t.Fatalf("%s: %d octets came back: %v", when, n, err)
	}
}

// answers reads what comes to a socket whose packets have all been dealt with, and returns how many octets each had.
func answers(from *net.UDPConn) (sizes []int) {
	b := make([]byte, 2000)
	_ = from.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // what isn't to come has been decided by now
	for {
		n, err := from.Read(b)
		if err != nil {
			return sizes
		}
		sizes = append(sizes, n)
	}
}

// judged is how many datagrams have their verdict.
func (n *node) judged() (total uint64) {
	for _, count := range n.Verdicts()[vip] {
		total += count
	}
	return total
}

// What somebody makes of a packet that he has seen ends no connection, and brings him less than he has sent.
func TestForgedConnectionIDs(t *testing.T) {
	d := newDetour(t)
	seen := d.r.sniff(t, func() { d.lives(t, "while somebody listens") })
	from := client(t)
	for bit := range 8 * (1 + steer.CIDLen) {
		forged := bytes.Clone(seen)
		forged[bit/8] ^= 0x80 >> (bit % 8)
		for _, to := range []*node{d.a, d.b} {
			send(t, from, to, forged, 0)
		}
	}
	send(t, from, d.b, seen, 0) // the very same, from elsewhere: it has been received
	d.lives(t, "after that")
	for _, size := range answers(from) {
		if size >= len(seen) {
			t.Errorf("%d octets were answered by %d", len(seen), size)
		}
	}
	d.lives(t, "at the end")
}

// sniff returns a packet with a short header that the client sends meanwhile, by itself and long enough to be answered.
func (r *route) sniff(t *testing.T, meanwhile func()) []byte {
	t.Helper()
	var seen atomic.Pointer[[]byte]
	r.tap.Store(new(func(b []byte) {
		if len(b) > 42 && len(b) <= steer.MaxDatagram && b[0]&0xc0 == 0x40 {
			seen.Store(new(bytes.Clone(b)))
		}
	}))
	eventually(t, "a packet is seen", func() bool {
		meanwhile()
		return seen.Load() != nil
	})
	r.tap.Store(nil)
	return *seen.Load()
}

// A flood of connection IDs of nodes that nobody knows is dropped and counted, is answered by nothing, and keeps nobody out.
func TestFloodOfUnknownOwners(t *testing.T) {
	d := newDetour(t)
	unknown := reader(t, keys(t, root, 1), steer.ServerID{NodeID: steer.NodeID{Metro: 9, Host: 9}, Generation: 1})
	from := client(t)
	before := d.b.Verdicts()[vip][steer.UnknownOwner]
	for range 100 {
		var flood []byte
		for range 40 {
			flood = append(flood, short(unknown.Make(), 100)...)
		}
		send(t, from, d.b, flood, 100)
	}
	d.lives(t, "meanwhile")
	if n := d.b.Verdicts()[vip][steer.UnknownOwner] - before; n == 0 {
		t.Error("nothing was counted")
	}
	if got := answers(from); len(got) > 0 {
		t.Errorf("answered: %v octets", got)
	}
	if n := d.b.Peers()[0]; n.Dead || d.a.Peers()[0].Dead {
		t.Errorf("a node is taken for dead: %+v", n)
	}
}

// A node with another secret takes part in nothing: it resets no connection, and gets none.
func TestAnotherSecret(t *testing.T) {
	a, b := startNode(t, 1, keys(t, root, 1)), startNode(t, 2, keys(t, []byte("the secret of another fleet"), 1))
	for i, n := range []*node{a, b} {
		other := []*node{b, a}[i]
		if err := n.Update([]steer.Peer{{Name: "other", ID: steer.NodeID{Metro: 1, Host: uint16(2 - i)}, Tunnel: other.Addr()}}); err != nil {
			t.Fatal(err)
		}
	}
	a.serve(t)
	b.serve(t)
	r := newRoute(t)
	c := dial(t, r, a)
	if n, err := say(t.Context(), c, 1000); n != 1000 || err != nil {
		t.Fatalf("%d octets came back: %v", n, err)
	}
	r.flip(b)
	eventually(t, "the client's keep-alives come to the stranger", func() bool { return b.Verdicts()[vip][steer.Unroutable] > 3 })
	r.flip(a)
	if n, err := say(t.Context(), c, 1000); n != 1000 || err != nil {
		t.Errorf("once the route is back, %d octets came back: %v", n, err)
	}
	for _, n := range []*node{a, b} {
		eventually(t, "the stranger's messages are told apart", func() bool { return n.Refused()[steer.Forged] > 0 })
		if p := n.Peers()[0]; p.RTT != 0 || p.Injected != 0 {
			t.Errorf("%+v", p)
		}
	}
}

// Whatever comes, by the VIP's port or the tunnel's, is answered by fewer octets than it has, if at all. (Initials are
// quic-go's to answer, which keeps to RFC 9000, section 8.1.)
func TestNothingIsAmplified(t *testing.T) {
	k := keys(t, root, 1)
	a, b, gone := startNode(t, 1, k), startNode(t, 2, k), startNode(t, 3, k)
	introduce(t, a, b, gone)
	gone.stop()
	eventually(t, "the third node is gone", func() bool { return a.Peers()[1].Dead })
	a.serve(t)
	b.serve(t)
	id := func(host uint16, generation uint8) []byte {
		return reader(t, k, steer.ServerID{NodeID: steer.NodeID{Metro: 1, Host: host}, Generation: generation}).Make()
	}
	for name, cid := range map[string][]byte{
		"own": id(1, 1), "of the process before": id(1, 0), "another's": id(2, 1), "a dead one's": id(3, 1), "nobody's": id(9, 1),
		"random": []byte("of seventeen octt"),
	} {
		for _, size := range []int{18, 22, 37, 38, 39, 42, 43, 44, 60, 200, 1400, 1401} {
			from, before := client(t), a.judged()
			send(t, from, a, short(cid, size), 0)
			eventually(t, "it has its verdict", func() bool { return a.judged() > before })
			for _, n := range answers(from) {
				if n >= size {
					t.Errorf("%s, of %d octets: answered by %d", name, size, n)
				}
			}
			_ = from.Close()
		}
	}
	from, total := client(t), uint64(0)
	refused := func() (total uint64) {
		for _, n := range a.Refused() {
			total += n
		}
		return total
	}
	before := refused()
	for size := 1; size < 200; size++ {
		garbage := make([]byte, size)
		_, _ = rand.Read(garbage) // never fails
		garbage[0] = 1<<4 | garbage[0]&3
		if _, err := from.WriteToUDPAddrPort(garbage, a.Addr()); err != nil {
			t.Fatal(err)
		}
		total++
	}
	eventually(t, "all of it is refused", func() bool { return refused()-before >= total })
	if got := answers(from); len(got) > 0 {
		t.Errorf("the tunnel answers strangers: %v octets", got)
	}
}

// A client on the detour whose address changes goes on: the owner validates the new path, by which its packets come.
func TestRebindingOnTheDetour(t *testing.T) {
	d := newDetour(t)
	n := nattest.New(t, d.a.front())
	d.r.to.Store(net.UDPAddrFromAddrPort(n.Addr()))
	d.lives(t, "behind a translator")
	n.Route(d.b.front())
	for range 5 {
		d.lives(t, "on the detour")
		n.Rebind(t)
	}
	d.lives(t, "at the last address")
	if d.a.Detours()[vip] == 0 {
		t.Error("the owner doesn't know of the detour")
	}
}

// front is where the node's clients send to.
func (n *node) front() netip.AddrPort { return n.conn.LocalAddr().(*net.UDPAddr).AddrPort() }
