//go:build linux

package steer

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"
)

// fakePeer speaks to a Steerer as another node would, and as one wouldn't.
type fakePeer struct {
	*net.UDPConn

	t       *testing.T
	s       *Steerer
	pair    *pair
	counter uint64
	epoch   uint32
	cid     []byte // of the Steerer's
}

func newFakePeer(t *testing.T) *fakePeer {
	t.Helper()
	k := testKeys(t, "the secret of the fleet", 1)
	loopback := netip.MustParseAddr("127.0.0.1")
	s, err := Open(Options{Metro: here.Metro, Host: here.Host, Address: loopback, MaxDatagram: MaxDatagram, Rate: 1000}, 9, k, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	p := &fakePeer{UDPConn: conn, t: t, s: s, pair: testPair(t, k, there, here), counter: 1 << 40, epoch: 5}
	p.cid, _ = s.table.Load().ids.generators[0].Append(nil) // nonces don't run out
	if err := s.Update([]Peer{{Name: "there", ID: there, Tunnel: conn.LocalAddr().(*net.UDPAddr).AddrPort()}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }() // the cleanup waits for it
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	})
	return p
}

func (p *fakePeer) send(b []byte) {
	p.t.Helper()
	if _, err := p.WriteToUDPAddrPort(b, p.s.Addr()); err != nil {
		p.t.Fatal(err)
	}
}

// header is that of the next message.
func (p *fakePeer) header(kind message) header {
	p.counter++
	return header{kind: kind, vip: tagOf(www), epoch: p.epoch, counter: p.counter}
}

// datagram is one of the Steerer's connections.
func (p *fakePeer) datagram() []byte {
	packet := append(append([]byte{fixedBit}, p.cid...), make([]byte, 100)...)
	return p.pair.appendDatagram(nil, p.header(datagram), netip.MustParseAddrPort("192.0.2.7:4433"), packet)
}

// next is what the Steerer says next, of one kind.
func (p *fakePeer) next(kind message) body {
	p.t.Helper()
	back := testPair(p.t, testKeys(p.t, "the secret of the fleet", 1), there, here)
	for b := make([]byte, 10_000); ; {
		_ = p.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := p.Read(b)
		if err != nil {
			p.t.Fatal(err)
		}
		h, _ := parseHeader(b[:n])
		text, refused := back.decrypt(h, b[:n])
		if refused != Accepted {
			p.t.Fatal(refused)
		}
		if m, refused := parseBody(text); h.kind == kind && refused == Accepted {
			return m
		}
	}
}

// meet answers a ping, so that the Steerer knows that this process lives.
func (p *fakePeer) meet() {
	p.t.Helper()
	p.send(p.pair.appendMessage(nil, p.header(pong), body{challenge: p.next(ping).challenge}.append(nil)))
}

// await waits until a message has been refused for a reason; Accepted: taken.
func (p *fakePeer) await(what string, r Refusal, n uint64) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); p.s.refused[r].Load() < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s: %d %v, want %d", what, p.s.refused[r].Load(), r, n)
		}
	}
}

// expect sends a message and waits for what becomes of it.
func (p *fakePeer) expect(what string, b []byte, r Refusal) {
	p.t.Helper()
	before := p.s.refused[r].Load()
	p.send(b)
	p.await(what, r, before+1)
}

// wrap gives the node a socket at the VIP until the test ends.
func (p *fakePeer) wrap() *Conn {
	p.t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := p.s.Wrap(socket, www, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.Close() })
	return c
}

// What a process that lives didn't send, now and for the first time, is refused.
func TestReceiverRefuses(t *testing.T) {
	p := newFakePeer(t)
	c := p.wrap()

	p.expect("of a process that wasn't met", p.datagram(), OtherEpoch)
	p.expect("a pong that nobody asked for", p.pair.appendMessage(nil, p.header(pong), body{challenge: 1}.append(nil)), Replayed)
	p.meet()
	p.await("met", Accepted, 1)
	good := p.datagram()
	p.expect("good", good, Accepted)
	p.expect("the same again", good, Replayed)
	p.expect("a good one, changed", append(good[:len(good)-1:len(good)-1], good[len(good)-1]^1), Forged)
	p.expect("its beginning", good[:20], Truncated)
	p.expect("another version", append([]byte{0x21}, good[1:]...), WrongVersion)
	spoiled := append([]byte(nil), good...)
	spoiled[2] = 9
	p.expect("another key", spoiled, UnknownKey)

	h := p.header(datagram)
	h.vip = tagOf(netip.MustParseAddrPort("198.51.100.99:443"))
	packet := append(append([]byte{fixedBit}, p.cid...), make([]byte, 100)...)
	p.expect("for another VIP", p.pair.appendDatagram(nil, h, netip.MustParseAddrPort("192.0.2.7:4433"), packet), UnknownVIP)
	p.expect("of the other family", p.pair.appendDatagram(nil, p.header(datagram), netip.MustParseAddrPort("[2001:db8::1]:4433"), packet), UnknownVIP)

	others, err := newIDs(testKeys(t, "the secret of the fleet", 1), ServerID{NodeID: third})
	if err != nil {
		t.Fatal(err)
	}
	cid, _ := others.generators[0].Append(nil) // nonces don't run out
	packet = append(append([]byte{fixedBit}, cid...), make([]byte, 100)...)
	p.expect("another node's", p.pair.appendDatagram(nil, p.header(datagram), netip.MustParseAddrPort("192.0.2.7:4433"), packet), Loop)
	p.expect("nobody's", p.pair.appendDatagram(nil, p.header(datagram), netip.MustParseAddrPort("192.0.2.7:4433"), make([]byte, 100)), Loop)

	for range queueLen - c.queue.len() {
		p.expect("fills the queue", p.datagram(), Accepted)
	}
	p.expect("too many", p.datagram(), Overflow)

	stranger, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.WriteToUDPAddrPort(p.datagram(), p.s.Addr()); err != nil {
		t.Fatal(err)
	}
	p.await("from elsewhere", UnknownPeer, 1)
	if n := p.s.Peers()[0].Injected; n != queueLen {
		t.Errorf("%d were taken, want %d", n, queueLen)
	}
}

// A process that follows another is believed once it has answered; what the former sent is of no use then.
func TestReceiverMeetsTheNextProcess(t *testing.T) {
	p := newFakePeer(t)
	p.wrap()
	p.meet()
	p.await("met", Accepted, 1)
	unsent := p.datagram()
	p.expect("good", p.datagram(), Accepted)

	p.epoch, p.counter = 4, 17 // its clock went back
	p.expect("of the next process", p.datagram(), OtherEpoch)
	taken := p.s.refused[Accepted].Load()
	p.meet()
	p.await("met again", Accepted, taken+1)
	p.expect("good again", p.datagram(), Accepted)
	p.expect("what the former sent", unsent, OtherEpoch)
}

// A ping is answered, with what it asked, and one that comes again isn't.
func TestPingIsAnswered(t *testing.T) {
	p := newFakePeer(t)
	b := p.pair.appendMessage(nil, p.header(ping), append(body{challenge: 77}.append(nil), make([]byte, 100)...))
	p.send(b) // before they have met: one must begin
	if m := p.next(pong); m.challenge != 77 || int(m.size) != len(b)+28 || m.generation != 9 || m.leaving {
		t.Errorf("%+v", m)
	}
	p.meet()
	p.await("met", Accepted, 1)
	b = p.pair.appendMessage(nil, p.header(ping), body{challenge: 78, leaving: true}.append(nil))
	p.expect("a goodbye", b, Accepted)
	p.expect("the same again", b, Replayed)
	for end := time.Now().Add(time.Minute); !p.s.Peers()[0].Dead; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("who said goodbye isn't dead")
		}
	}
	p.expect("no content", p.pair.appendMessage(nil, p.header(ping), nil), Truncated)
	before := p.s.refused[Overflow].Load()
	for range 200 {
		p.send(p.pair.appendMessage(nil, p.header(ping), body{challenge: 79}.append(nil)))
	}
	p.await("too many pings", Overflow, before+1)
}

// Nodes whose clocks are years apart understand each other: a process is told from the one before, whichever seems the older.
func TestClockSkew(t *testing.T) {
	p := newFakePeer(t)
	p.wrap()
	for i, epoch := range []uint32{1 << 31, 0, 1<<32 - 1, 7, newStamps(time.Now().Add(time.Hour)).epoch, newStamps(time.Now().Add(-365 * 24 * time.Hour)).epoch} {
		p.epoch, p.counter = epoch, uint64(i)<<44
		p.expect("before they have met", p.datagram(), OtherEpoch)
		taken := p.s.refused[Accepted].Load()
		p.meet()
		p.await("met", Accepted, taken+1)
		p.expect("good", p.datagram(), Accepted)
	}
}
