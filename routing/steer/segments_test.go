package steer_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/anyedge/anyedge/routing/steer"
)

// hearer takes what comes of TCP connections.
type hearer struct {
	segments chan []byte
	queries  chan []byte
	answer   []byte
}

func newHearer() *hearer {
	return &hearer{segments: make(chan []byte, 100), queries: make(chan []byte, 100)}
}

func (h *hearer) TakeSegment(packet []byte) steer.Refusal {
	h.segments <- bytes.Clone(packet)
	return steer.Accepted
}

func (h *hearer) TakeQuery(_ steer.NodeID, content []byte) ([]byte, steer.Refusal) {
	h.queries <- bytes.Clone(content)
	return h.answer, steer.Accepted
}

var (
	tcpClient = netip.MustParseAddr("198.51.100.7")
	second    = steer.NodeID{Metro: 1, Host: 2}
)

// Segments come whole and in order, questions are answered, and both are one node's to take.
func TestSegments(t *testing.T) {
	k := keys(t, root, 1)
	a, b := startNode(t, 1, k), startNode(t, 2, k)
	at, bt := newHearer(), newHearer()
	bt.answer = []byte("mine")
	segments := a.Segments(at)
	introduce(t, a, b)
	if v := segments.Send(second, steer.Segment{Client: tcpClient, Packet: []byte("early")}); v != steer.Forwarded {
		t.Errorf("%v, want %v", v, steer.Forwarded)
	}
	segments.Flush()
	eventually(t, "a node without a rescue refuses", func() bool { return b.Refused()[steer.NoRescue] == 1 })

	b.Segments(bt)
	sent := [][]byte{bytes.Repeat([]byte{1}, 1440), bytes.Repeat([]byte{2}, 1440), []byte("short"), bytes.Repeat([]byte{3}, 1440)}
	for _, packet := range sent {
		segments.Send(second, steer.Segment{Client: tcpClient, Packet: packet})
	}
	segments.Flush()
	for i, want := range sent {
		if got := <-bt.segments; !bytes.Equal(got, want) {
			t.Errorf("segment %d: %d octets, want %d", i, len(got), len(want))
		}
	}
	if !segments.Ask([]steer.NodeID{second, {Metro: 9, Host: 9}}, steer.Segment{Client: tcpClient}, []byte("whose?")) {
		t.Error("a question is too many")
	}
	if got := <-bt.queries; string(got) != "whose?" {
		t.Errorf("asked %q", got)
	}
	if got := <-at.queries; string(got) != "mine" {
		t.Errorf("answered %q", got)
	}
	if p := a.Peers()[0]; p.Forwarded != 5 {
		t.Errorf("%d forwarded", p.Forwarded)
	}
	if p := b.Peers()[0]; p.Injected != 4 {
		t.Errorf("%d injected", p.Injected)
	}
}

// What is sent on and what is asked is limited, and only nodes that are there are sent to.
func TestSegmentsLimited(t *testing.T) {
	k := keys(t, root, 1)
	a := startNodeWith(t, 1, k, func(o *steer.Options) { o.Rate = 40 })
	b := startNode(t, 2, k)
	segments := a.Segments(newHearer())
	introduce(t, a, b)
	counts := map[steer.Verdict]int{}
	for range 1000 {
		counts[segments.Send(second, steer.Segment{Client: tcpClient, Packet: []byte("x")})]++
	}
	if counts[steer.Forwarded] == 0 || counts[steer.Limited] < 500 || counts[steer.Forwarded]+counts[steer.Limited] != 1000 {
		t.Errorf("%v", counts)
	}
	if v := segments.Send(steer.NodeID{Metro: 9, Host: 9}, steer.Segment{Client: tcpClient}); v != steer.UnknownOwner {
		t.Errorf("%v, want %v", v, steer.UnknownOwner)
	}
	refused := 0
	for range 100_000 {
		if !segments.Ask([]steer.NodeID{second}, steer.Segment{Client: tcpClient}, nil) {
			refused++
		}
	}
	if refused == 0 {
		t.Error("one network of clients may ask for ever")
	}
	b.stop()
	eventually(t, "the node that says goodbye is dead", func() bool { return a.Peers()[0].Dead })
	if v := segments.Send(second, steer.Segment{Client: tcpClient}); v != steer.DeadOwner {
		t.Errorf("%v, want %v", v, steer.DeadOwner)
	}
}

// A client's packet and the tunnel's headers fill a packet of Ethernet.
func TestMaxPacket(t *testing.T) {
	k := keys(t, root, 1)
	if n := startNode(t, 1, k).MaxPacket(); n != 1500-20-8-32 {
		t.Errorf("%d octets over IPv4", n)
	}
}
