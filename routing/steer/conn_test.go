//go:build linux

package steer_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/anyedge/anyedge/routing/steer"
)

// messages are what quic-go hands to ReadBatch.
func messages() []ipv4.Message {
	ms := make([]ipv4.Message, 8)
	for i := range ms {
		ms[i] = ipv4.Message{Buffers: [][]byte{make([]byte, 1452)}, OOB: make([]byte, 128)}
	}
	return ms
}

// read reads one batch, as quic-go does, and checks what it relies on.
func read(t *testing.T, c *steer.Conn, ms []ipv4.Message) []ipv4.Message {
	t.Helper()
	var before [][]byte
	for _, m := range ms {
		before = append(before, m.Buffers[0])
	}
	n, err := c.ReadBatch(ms, 0)
	if err != nil || n == 0 {
		t.Fatalf("%d messages, %v: quic-go would take what was there before", n, err)
	}
	for i := range ms {
		if &before[i][0] != &ms[i].Buffers[0][0] {
			t.Fatal("a buffer was exchanged")
		}
		if _, ok := ms[i].Addr.(*net.UDPAddr); i < n && !ok {
			t.Fatalf("the address is a %T", ms[i].Addr)
		}
	}
	return ms[:n]
}

// client is a socket that sends to nodes.
func client(t testing.TB) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// mark has what c sends carry congestion marks.
func mark(t *testing.T, c *net.UDPConn, ecn int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var optionErr error
	if err := raw.Control(func(fd uintptr) { optionErr = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, ecn) }); err != nil || optionErr != nil {
		t.Fatal(err, optionErr)
	}
}

// marks are those of a message.
func marks(t *testing.T, m ipv4.Message) byte {
	t.Helper()
	h, body, rest, err := unix.ParseOneSocketControlMessage(m.OOB[:m.NN])
	if err != nil || h.Level != unix.IPPROTO_IP || h.Type != unix.IP_TOS || len(body) != 1 || len(rest) != 0 {
		t.Fatalf("%x: %v", m.OOB[:m.NN], err)
	}
	return body[0] & 3
}

// send sends datagrams of size octets each but the last, together, as the kernel hands them over on loopback.
func send(t testing.TB, from *net.UDPConn, to *node, b []byte, size int) {
	t.Helper()
	var oob []byte
	if size > 0 {
		oob = make([]byte, unix.CmsgSpace(2))
		copy(oob, []byte{byte(unix.CmsgLen(2)), 0, 0, 0, 0, 0, 0, 0, unix.IPPROTO_UDP, 0, 0, 0, unix.UDP_SEGMENT, 0, 0, 0, byte(size), byte(size >> 8)})
	}
	if _, _, err := from.WriteMsgUDP(b, oob, to.conn.LocalAddr().(*net.UDPAddr)); err != nil {
		t.Fatal(err)
	}
}

// What the kernel hands over together comes apart, in order, with its sender and its marks.
func TestDatagramsComeApart(t *testing.T) {
	n := startNode(t, 1, keys(t, root, 1))
	from := client(t)
	var all, want []byte
	for i := range 20 {
		b := long(0xc0, []byte("8 octets"))
		b[100] = byte(i)
		want = append(want, byte(i))
		all = append(all, b...)
	}
	last := long(0xc0, []byte("8 octets"))[:700]
	last[100] = 77
	mark(t, from, 2)
	send(t, from, n, append(all, last...), 1200)
	ms := messages()
	var got []byte
	for len(got) < 21 {
		for _, m := range read(t, n.conn, ms) {
			got = append(got, m.Buffers[0][100])
			size := 1200
			if len(got) == 21 {
				size = 700
			}
			if m.N != size || m.Addr.String() != from.LocalAddr().String() || marks(t, m) != 2 {
				t.Errorf("%d: %d octets from %v, marks %d", len(got), m.N, m.Addr, marks(t, m))
			}
		}
	}
	if !bytes.Equal(got, append(want, 77)) {
		t.Errorf("%v", got)
	}
}

// What goes by way of another node arrives as it left: sender, marks, octets.
func TestForwardedDatagramsAreTheSame(t *testing.T) {
	k := keys(t, root, 1)
	a, b := startNode(t, 1, k), startNode(t, 2, k)
	introduce(t, a, b)
	go drop(b.conn) // ends with the node
	owner := reader(t, k, steer.ServerID{NodeID: steer.NodeID{Metro: 1, Host: 1}, Generation: 1})
	from := client(t)
	ms := messages()
	for ecn := range 4 {
		for _, size := range []int{38, 1200, 1400} {
			b1 := short(owner.Make(), size)
			b1[size-1] = byte(ecn)
			mark(t, from, ecn)
			send(t, from, b, b1, 0)
			got := read(t, a.conn, ms)
			if len(got) != 1 || !bytes.Equal(got[0].Buffers[0][:got[0].N], b1) || got[0].Addr.String() != from.LocalAddr().String() || int(marks(t, got[0])) != ecn {
				t.Errorf("marks %d, %d octets: %d messages from %v with marks %d", ecn, size, len(got), got[0].Addr, marks(t, got[0]))
			}
			if ip := got[0].Addr.(*net.UDPAddr).IP; len(ip) != 4 {
				t.Errorf("the address has %d octets: a token for the other form wouldn't hold", len(ip))
			}
		}
	}
}

// drop reads a socket that nobody else does.
func drop(c *steer.Conn) {
	ms := messages()
	for {
		if _, err := c.ReadBatch(ms, 0); err != nil {
			return
		}
	}
}

// A reader that waits is woken by what is handed over, its own deadline stays, and nothing else ends its wait.
func TestWaking(t *testing.T) {
	k := keys(t, root, 1)
	a, b := startNode(t, 1, k), startNode(t, 2, k)
	introduce(t, a, b)
	go drop(b.conn) // ends with the node
	owner := reader(t, k, steer.ServerID{NodeID: steer.NodeID{Metro: 1, Host: 1}, Generation: 1})
	from, ms := client(t), messages()
	for i := range 300 { // the reader waits, or is about to, or reads
		to := []*node{a, b}[i%2]
		send(t, from, to, short(owner.Make(), 100), 0)
		if got := read(t, a.conn, ms); len(got) != 1 {
			t.Fatalf("%d datagrams", len(got))
		}
	}
	if err := a.conn.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	send(t, from, b, short(owner.Make(), 100), 0)
	read(t, a.conn, ms)
	ended := make(chan error, 1)
	go func() { // ends with the deadline
		_, err := a.conn.ReadBatch(ms, 0)
		ended <- err
	}()
	if err := a.conn.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the deadline ends it with %v", err)
	}
	if _, err := a.conn.ReadBatch(ms, 0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("and then %v", err)
	}
	if err := a.conn.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	send(t, from, a, short(owner.Make(), 100), 0)
	read(t, a.conn, ms)
	_ = a.conn.Close()
	if _, err := a.conn.ReadBatch(ms, 0); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// Neither of two floods keeps the other out.
func TestFloodsShareASocket(t *testing.T) {
	k := keys(t, root, 1)
	a, b := startNode(t, 1, k), startNode(t, 2, k)
	introduce(t, a, b)
	go drop(b.conn) // ends with the node
	owner := reader(t, k, steer.ServerID{NodeID: steer.NodeID{Metro: 1, Host: 1}, Generation: 1})
	direct, around := client(t), client(t)
	counts, ms := map[string]int{}, messages()
	for counts[direct.LocalAddr().String()] < 2000 || counts[around.LocalAddr().String()] < 2000 {
		for range 4 {
			all := bytes.Repeat(short(owner.Make(), 100), 16)
			send(t, direct, a, all, 100)
			send(t, around, b, all, 100)
		}
		for range 8 {
			if v := a.Verdicts()[vip]; v[steer.Own] == 0 && counts[direct.LocalAddr().String()] > 0 {
				t.Fatal("not counted")
			}
			for _, m := range read(t, a.conn, ms) {
				counts[m.Addr.String()]++
			}
		}
	}
}

// Every datagram gets its verdict, and none but those of dead owners is answered.
func TestVerdicts(t *testing.T) {
	k := keys(t, root, 1)
	a, b := startNode(t, 1, k), startNode(t, 2, k)
	gone := startNode(t, 3, k)
	introduce(t, a, b, gone)
	gone.stop()
	eventually(t, "the third node is gone", func() bool { return a.Peers()[1].Dead })
	go drop(a.conn) // ends with the node
	at := func(host uint16, generation uint8) []byte {
		return reader(t, k, steer.ServerID{NodeID: steer.NodeID{Metro: 1, Host: host}, Generation: generation}).Make()
	}
	for _, c := range []struct {
		name   string
		b      []byte
		want   steer.Verdict
		answer int // its length
	}{
		{"own", short(at(1, 1), 200), steer.Own, 0},
		{"of the process before", short(at(1, 0), 200), steer.OldGeneration, 42},
		{"of the process before, a short one", short(at(1, 0), 38), steer.OldGeneration, 37},
		{"of the process before, a long header", long(0xe0, at(1, 0)), steer.Initial, 0},
		{"another's", short(at(2, 1), 200), steer.Forwarded, 0},
		{"another's, a long header", long(0xe0, at(2, 1)), steer.Forwarded, 0},
		{"a dead one's", short(at(3, 1), 200), steer.DeadOwner, 42},
		{"a dead one's, from its process before", short(at(3, 0), 40), steer.DeadOwner, 39},
		{"a dead one's, after a Retry", long(0xc0, at(3, 1)), steer.Initial, 0},
		{"nobody's", short(at(9, 1), 200), steer.UnknownOwner, 0},
		{"nobody's, a long header", long(0xe0, at(9, 1)), steer.UnknownOwner, 0},
		{"an Initial", long(0xc0, []byte("8 octets")), steer.Initial, 0},
		{"random", short([]byte("of seventeen octt"), 200), steer.Unroutable, 0},
		{"short", short(at(3, 1), 37), steer.TooShort, 0},
		{"long", short(at(1, 1), 1401), steer.TooLong, 0},
		{"not QUIC", bytes.Repeat([]byte{1}, 200), steer.NotQUIC, 0},
	} {
		from := client(t)
		before := a.Verdicts()[vip][c.want]
		send(t, from, a, c.b, 0)
		eventually(t, c.name+" is "+c.want.String(), func() bool { return a.Verdicts()[vip][c.want] == before+1 })
		got := make([]byte, 2000)
		_ = from.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // what isn't to come has been counted by now
		if c.answer > 0 {
			_ = from.SetReadDeadline(time.Now().Add(20 * time.Second))
		}
		n, _ := from.Read(got)
		if n != c.answer || n > 0 && (n >= len(c.b) || got[0]&0xc0 != 0x40) {
			t.Errorf("%s: answered with %d octets: %x", c.name, n, got[:n])
		}
	}
}

// A node that has no numbers yet answers for no other's connections: there may be another one like it.
func TestWithoutNumbers(t *testing.T) {
	k := keys(t, root, 1)
	n := startNode(t, 0, k)
	go drop(n.conn) // ends with the node
	from := client(t)
	for generation, want := range map[uint8]steer.Verdict{1: steer.Own, 2: steer.UnknownOwner} {
		send(t, from, n, short(reader(t, k, steer.ServerID{Generation: generation}).Make(), 100), 0)
		eventually(t, want.String(), func() bool { return n.Verdicts()[vip][want] == 1 })
	}
}

// No more than the rate is forwarded.
func TestForwardingIsLimited(t *testing.T) {
	k := keys(t, root, 1)
	a, b := startNode(t, 1, k), startNodeWith(t, 2, k, func(o *steer.Options) { o.Rate = 400 })
	introduce(t, a, b)
	go drop(b.conn) // ends with the node
	owner := reader(t, k, steer.ServerID{NodeID: steer.NodeID{Metro: 1, Host: 1}, Generation: 1})
	from := client(t)
	begin := time.Now()
	for i := range uint64(50) {
		send(t, from, b, bytes.Repeat(short(owner.Make(), 100), 40), 100)
		eventually(t, "all are counted", func() bool {
			v := b.Verdicts()[vip]
			return v[steer.Forwarded]+v[steer.Limited] == 40*(i+1)
		})
	}
	if v, most := b.Verdicts()[vip], 26+uint64(time.Since(begin).Seconds()*100); v[steer.Forwarded] > most || v[steer.Forwarded] < 25 {
		t.Errorf("%d of 2000 forwarded for one network, at 100 a second and a burst of 25, at most %d", v[steer.Forwarded], most)
	}
}

// Nodes whose numbers or addresses clash are told apart before anything is sent.
func TestClashes(t *testing.T) {
	n := startNode(t, 1, keys(t, root, 1))
	at := n.Addr()
	id := func(host uint16) steer.NodeID { return steer.NodeID{Metro: 1, Host: host} }
	for want, peers := range map[string][]steer.Peer{
		"this node's own":              {{Name: "x", ID: id(1), Tunnel: at}},
		"both have metro and host":     {{Name: "x", ID: id(2), Tunnel: at}, {Name: "y", ID: id(2)}},
		"both have the tunnel address": {{Name: "x", ID: id(2), Tunnel: at}, {Name: "y", ID: id(3), Tunnel: at}},
	} {
		if err := n.Update(peers); err == nil || !bytes.Contains([]byte(err.Error()), []byte(want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if len(n.Peers()) != 0 {
		t.Error("a part of them was taken")
	}
}

// A peer that is dropped and comes back is understood at once.
func TestPeerComesBack(t *testing.T) {
	k := keys(t, root, 1)
	a, b := startNode(t, 1, k), startNode(t, 2, k)
	for range 5 {
		introduce(t, a, b)
		if err := a.Update(nil); err != nil {
			t.Fatal(err)
		}
	}
	introduce(t, a, b)
	if n := b.Refused()[steer.Replayed]; n > 0 {
		t.Errorf("%d messages were taken for replayed", n)
	}
}

// Connections that were made before a rotation of keys live on after it.
func TestKeysRotateUnderConnections(t *testing.T) {
	older, newer := keys(t, root, 1), keys(t, []byte("the secret that follows"), 2)
	both := func(use uint8) steer.Keys {
		return steer.Keys{
			CID: map[uint8][]byte{1: older.CID[1], 2: newer.CID[2]}, CIDConfig: use,
			Tunnel: map[uint8][]byte{1: older.Tunnel[1], 2: newer.Tunnel[2]}, TunnelKey: use, Reset: older.Reset,
		}
	}
	a, b := startNode(t, 1, older), startNode(t, 2, older)
	introduce(t, a, b)
	a.serve(t)
	b.serve(t)
	r := newRoute(t)
	c := dial(t, r, a)
	r.flip(b)
	for i, step := range []struct {
		n *node
		k steer.Keys
	}{{a, both(1)}, {b, both(1)}, {b, both(2)}, {a, both(2)}} {
		if err := step.n.Rekey(step.k); err != nil {
			t.Fatal(err)
		}
		if n, err := say(t.Context(), c, 100_000); n != 100_000 || err != nil {
			t.Fatalf("after step %d: %d octets, %v", i, n, err)
		}
		fresh := dial(t, newRoute(t), a)
		if n, err := say(t.Context(), fresh, 1000); n != 1000 || err != nil {
			t.Fatalf("after step %d: a new connection: %v", i, err)
		}
	}
	if err := a.Rekey(steer.Keys{}); err == nil {
		t.Error("no keys at all are taken")
	}
}

// VIPs that have one tag can't be told apart in the tunnel; the tag is 24 bits, so some ports of one address do.
func TestTagsClash(t *testing.T) {
	seen := map[string]string{}
	for port := range 60_000 {
		at := fmt.Sprintf("198.51.100.10:%d", port+1)
		seen[steer.TagOf(at)] = at
	}
	if n := 60_000 - len(seen); n > 250 { // 107 are to be expected
		t.Errorf("%d of 60000 clash", n)
	}
	if !slices.Contains([]string{steer.TagOf("198.51.100.10:443")}, steer.TagOf("[::ffff:198.51.100.10]:443")) {
		t.Error("the two forms of an IPv4 address differ")
	}
}
