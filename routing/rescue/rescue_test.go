package rescue_test

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing/rescue"
	"github.com/anyedge/anyedge/routing/steer"
)

// of is a segment of a connection that a node has marked.
func of(n steer.NodeID, now time.Time, flags uint8) []byte {
	echo := rescue.Stamp(rescue.CodeOf(n), rescue.Clock(now), 0)
	return packet{from: client4, to: vip4, flags: flags, echo: &echo}.bytes()
}

// unmarked is a segment that says nothing of its owner.
func unmarked(flags uint8) []byte { return packet{from: client4, to: vip4, flags: flags}.bytes() }

func TestMarked(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		packet []byte
		tunnel steer.Verdict
		want   rescue.Verdict
		to     steer.NodeID
	}{
		"of another node":                   {packet: of(far, now, ack), want: rescue.Marked, to: far},
		"a reset":                           {packet: of(far, now, ack|rst), want: rescue.Marked, to: far},
		"a minute old":                      {packet: of(far, now.Add(-time.Minute), ack), want: rescue.Marked, to: far},
		"of a node whose clock is ahead":    {packet: of(far, now.Add(time.Minute-time.Second), ack), want: rescue.Marked, to: far},
		"of this node":                      {packet: of(self, now, ack), want: rescue.Lost},
		"of a dead node":                    {packet: of(far, now, ack), tunnel: steer.DeadOwner, want: rescue.DeadOwner},
		"of a node that is no longer there": {packet: of(far, now, ack), tunnel: steer.UnknownOwner, want: rescue.Unclaimed},
		"too many":                          {packet: of(far, now, ack), tunnel: steer.Limited, want: rescue.Limited},
		"no segment":                        {packet: []byte("hello"), want: rescue.Odd},
		"without ACK an echo is none":       {packet: of(far, now, 0), want: rescue.Unclaimed},
	} {
		r, _, w := newRescue(t)
		w.verdict = c.tunnel
		if got := r.Take(c.packet, now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if c.to != (steer.NodeID{}) && !slices.Equal(w.sent, []steer.NodeID{c.to}) {
			t.Errorf("%s: sent to %v, want %v", name, w.sent, c.to)
		}
		if len(w.asked) > 0 {
			t.Errorf("%s: %v were asked", name, w.asked)
		}
	}
}

// Of two nodes with one code both are asked, unless one is this node, which hasn't got the connection.
func TestAmbiguous(t *testing.T) {
	byCode := map[uint16]steer.NodeID{}
	var a, b steer.NodeID
	for host := uint16(1); a == b; host++ {
		n := steer.NodeID{Metro: 3, Host: host}
		if other, taken := byCode[rescue.CodeOf(n)]; taken {
			a, b = other, n
		}
		byCode[rescue.CodeOf(n)] = n
	}
	now := time.Now()
	r, _, w := rescueOf(t, known(self, a, near, b))
	if v := r.Take(of(a, now, ack), now); v != rescue.Asked || !slices.Equal(w.asked, []steer.NodeID{a, b}) {
		t.Errorf("%v, asked %v, want %v and %v", v, w.asked, a, b)
	}
	r, _, w = rescueOf(t, known(a, b, near))
	if v := r.Take(of(a, now, ack), now); v != rescue.Marked || !slices.Equal(w.sent, []steer.NodeID{b}) {
		t.Errorf("%v, sent to %v, want %v", v, w.sent, b)
	}
}

// Where nothing says whose a segment is, the metro is asked, then all, then the host answers; and an answer holds for a minute.
func TestSearch(t *testing.T) {
	r, _, w := newRescue(t)
	now := time.Now()
	step := func(after time.Duration, want rescue.Verdict, asked ...steer.NodeID) {
		t.Helper()
		now = now.Add(after)
		w.asked = nil
		if got := r.Take(unmarked(ack), now); got != want || !slices.Equal(w.asked, asked) {
			t.Errorf("%v, asked %v; want %v, asked %v", got, w.asked, want, asked)
		}
	}
	step(0, rescue.Asked, near)
	step(50*time.Millisecond, rescue.Asked)
	step(60*time.Millisecond, rescue.Asked, near, far)
	step(400*time.Millisecond, rescue.Asked)
	step(200*time.Millisecond, rescue.Unclaimed)
	step(5*time.Second, rescue.Unclaimed)
	step(5*time.Second, rescue.Asked, near)
	if _, refused := r.TakeQuery(far, rescue.Word{Mine: true, Client: client4, VIP: vip4}.Append(nil)); refused != steer.Accepted {
		t.Errorf("an answer: %v", refused)
	}
	now = time.Now() // as answers are stamped
	step(0, rescue.Found)
	step(30*time.Second, rescue.Found)
	if !slices.Equal(w.sent, []steer.NodeID{far, far}) {
		t.Errorf("sent to %v", w.sent)
	}
	step(31*time.Second, rescue.Asked, near)
}

// Only what may be of a connection that lives makes anybody ask.
func TestImplausible(t *testing.T) {
	r, _, w := newRescue(t)
	for _, flags := range []uint8{0, rst, rst | ack, syn | ack} {
		if v := r.Take(unmarked(flags), time.Now()); v != rescue.Unclaimed || len(w.asked) > 0 {
			t.Errorf("flags %#x: %v, asked %v", flags, v, w.asked)
		}
	}
}

// A question that couldn't be put to everybody counts for nothing: no connection is given up for it. An answer that comes while
// it is put counts.
func TestLimitedQuestion(t *testing.T) {
	r, _, w := newRescue(t)
	now := time.Now()
	w.full = true
	for range 5 {
		now = now.Add(300 * time.Millisecond)
		if v := r.Take(unmarked(ack), now); v != rescue.Limited {
			t.Fatalf("%v, want %v", v, rescue.Limited)
		}
	}
	w.full = false
	w.onAsk = func() { r.TakeQuery(near, rescue.Word{Mine: true, Client: client4, VIP: vip4}.Append(nil)) }
	if v := r.Take(unmarked(ack), now); v != rescue.Asked {
		t.Errorf("%v, want %v", v, rescue.Asked)
	}
	if v := r.Take(unmarked(ack), now); v != rescue.Found {
		t.Errorf("%v, want %v", v, rescue.Found)
	}
}

// A flood doesn't take more memory than there is for it.
func TestFlood(t *testing.T) {
	r, _, _ := newRescue(t)
	p := packet{to: vip4, flags: ack}
	for i := range rescue.MaxFlows + 1000 {
		p.from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 16), byte(i >> 8)}), uint16(i)|1)
		r.Take(p.bytes(), time.Now())
	}
	if n := r.Flows(); n > rescue.MaxFlows {
		t.Errorf("%d connections are remembered", n)
	}
}

// What nobody has, the host resets, as it would without a rescue; what goes elsewhere or is asked for, it doesn't see.
func TestMissed(t *testing.T) {
	r, h, _ := newRescue(t)
	lost := of(self, time.Now(), ack)
	for _, b := range [][]byte{lost, of(far, time.Now(), ack), unmarked(ack), []byte("odd")} {
		r.Missed(b)
	}
	if len(h.Written) != 1 || !slices.Equal(h.Written[0], lost) {
		t.Errorf("the host has seen %x", h.Written)
	}
	s := r.Status()
	for _, v := range []rescue.Verdict{rescue.Lost, rescue.Marked, rescue.Asked, rescue.Odd} {
		if s.Verdicts[v] != 1 {
			t.Errorf("%v: %d", v, s.Verdicts[v])
		}
	}
}

// What others send goes to the host, or nowhere: never on.
func TestTakeSegment(t *testing.T) {
	r, h, w := newRescue(t)
	elsewhere := netip.MustParseAddrPort("203.0.113.1:22")
	for name, c := range map[string]struct {
		packet []byte
		want   steer.Refusal
	}{
		"a segment":          {unmarked(ack), steer.Accepted},
		"one of a third's":   {of(far, time.Now(), ack), steer.Accepted},
		"a SYN":              {unmarked(syn), steer.Truncated},
		"no segment":         {[]byte("hello"), steer.Truncated},
		"to another port":    {packet{from: client4, to: elsewhere, flags: ack}.bytes(), steer.UnknownVIP},
		"of another network": {packet{from: client6, to: vip6, flags: ack}.bytes(), steer.Accepted},
	} {
		h.Written = nil
		if got := r.TakeSegment(c.packet); got != c.want || (got == steer.Accepted) != (len(h.Written) == 1) {
			t.Errorf("%s: %v, the host saw %d; want %v", name, got, len(h.Written), c.want)
		}
	}
	if len(w.sent)+len(w.asked) > 0 {
		t.Errorf("sent on to %v, asked %v", w.sent, w.asked)
	}
}

// A node answers for what it has, and is silent of the rest.
func TestTakeQuery(t *testing.T) {
	r, h, _ := newRescue(t)
	ask := rescue.Word{Client: client4, VIP: vip4}
	if answer, refused := r.TakeQuery(far, ask.Append(nil)); answer != nil || refused != steer.Accepted {
		t.Errorf("of an unknown connection: %x, %v", answer, refused)
	}
	h.Has[[2]netip.AddrPort{client4, vip4}] = true
	answer, refused := r.TakeQuery(far, ask.Append(nil))
	if w, ok := rescue.ParseWord(answer); !ok || !w.Mine || w.Client != client4 || refused != steer.Accepted {
		t.Errorf("of its own: %x, %v", answer, refused)
	}
	if _, refused := r.TakeQuery(far, rescue.Word{Client: client4, VIP: client4}.Append(nil)); refused != steer.UnknownVIP {
		t.Errorf("of another address: %v", refused)
	}
	if _, refused := r.TakeQuery(far, []byte{1, 2, 3}); refused != steer.Truncated {
		t.Errorf("of a few octets: %v", refused)
	}
	if _, refused := r.TakeQuery(far, rescue.Word{Mine: true, Client: client4, VIP: vip4}.Append(nil)); refused != steer.Replayed {
		t.Errorf("an answer that nobody asked for: %v", refused)
	}
}

// A VIP is served until all who serve it have ended.
func TestServe(t *testing.T) {
	r, h, _ := newRescue(t)
	vip := netip.MustParseAddrPort("203.0.113.9:443")
	first, err := r.Serve(vip)
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.Serve(netip.AddrPortFrom(netip.AddrFrom16(vip.Addr().As16()), 443)) // as IPv6 has it
	if err != nil {
		t.Fatal(err)
	}
	first()
	first()
	if !h.Served[vip] {
		t.Error("it is no longer served")
	}
	second()
	if h.Served[vip] {
		t.Error("it is still served")
	}
}

// Clients' segments are as long as the tunnel lets them be.
func TestMaxSegment(t *testing.T) {
	r, _, _ := newRescue(t)
	if n4, n6 := r.MaxSegment(vip4.Addr()), r.MaxSegment(vip6.Addr()); n4 != 1400 || n6 != 1380 {
		t.Errorf("%d and %d octets", n4, n6)
	}
}

// Of two processes of a node one rescues.
func TestHandedOver(t *testing.T) {
	f := known(self, near)
	r, h, _ := rescueOf(t, f)
	*f.handed = true
	if r.Watch(); h.Attached {
		t.Error("both processes look at segments")
	}
	*f.handed = false
	if r.Watch(); !h.Attached {
		t.Error("taken back, it doesn't look at segments")
	}
}

func TestRun(t *testing.T) {
	r, h, _ := newRescue(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }() // read below
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-h.Closed
}

// Who has come to be known since Open is known to the first segment: what is of nobody would be reset.
func TestRunKnowsTheNodes(t *testing.T) {
	h, w := rescue.NewHost(), &wire{}
	r := rescue.New(h, known(self, near, far), w, slog.New(slog.DiscardHandler))
	h.Missed = [][]byte{of(far, time.Now(), ack)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what has come is decided on all the same
	if err := r.Run(ctx); err != nil {
		t.Error(err)
	}
	if s := r.Status(); s.Verdicts[rescue.Marked] != 1 || !slices.Equal(w.sent, []steer.NodeID{far}) {
		t.Errorf("%v, sent to %v", s.Verdicts, w.sent)
	}
}
