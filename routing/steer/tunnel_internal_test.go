package steer

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
)

var (
	here  = NodeID{1, 1}
	there = NodeID{1, 2}
	third = NodeID{2, 1}
	www   = netip.MustParseAddrPort("198.51.100.10:443")
)

func testKeys(tb testing.TB, root string, index uint8) Keys {
	tb.Helper()
	return DeriveKeys([]byte(root), index)
}

func testPair(tb testing.TB, k Keys, from, to NodeID) *pair {
	tb.Helper()
	p, err := newPair(k, from, to)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// receive is what a peer makes of b.
func receive(p *pair, b []byte) (header, netip.AddrPort, []byte, Refusal) {
	h, refused := parseHeader(b)
	if refused != Accepted {
		return h, netip.AddrPort{}, nil, refused
	}
	text, refused := p.decrypt(h, bytes.Clone(b))
	if refused != Accepted {
		return h, netip.AddrPort{}, nil, refused
	}
	client, data, refused := parseDatagram(h, text)
	return h, client, data, refused
}

func TestTunnelRoundTrip(t *testing.T) {
	k := testKeys(t, "the secret of the fleet", 1)
	out, in := testPair(t, k, here, there), testPair(t, k, there, here)
	for _, client := range []string{"192.0.2.7:4433", "[2001:db8::7]:65535"} {
		for _, n := range []int{1, 38, 1200, 1400} {
			client, data := netip.MustParseAddrPort(client), bytes.Repeat([]byte{7}, n)
			h := header{ecn: 2, vip: tagOf(www), epoch: 0xfffffffe, counter: 1<<48 - 2}
			b := out.appendDatagram([]byte("before"), h, client, data)[len("before"):]
			if bytes.Contains(b, data[:min(n, 4)]) && n >= 4 {
				t.Errorf("in the clear: %x", b)
			}
			overhead := headerLen + clientLen4 + tagLen
			if client.Addr().Is6() {
				overhead += 12
			}
			got, from, content, refused := receive(in, b)
			h.kind, h.key, h.v6 = datagram, 1, client.Addr().Is6()
			if refused != Accepted || got != h || from != client || !bytes.Equal(content, data) || len(b) != n+overhead {
				t.Errorf("%v %d: %v %+v %v, %d of %d octets", client, n, refused, got, from, len(content), len(b))
			}
		}
	}
}

func TestTunnelRefuses(t *testing.T) {
	k := testKeys(t, "the secret of the fleet", 1)
	out, in := testPair(t, k, here, there), testPair(t, k, there, here)
	b := out.appendDatagram(nil, header{vip: tagOf(www)}, netip.MustParseAddrPort("192.0.2.7:4433"), []byte("a datagram"))
	for n := range b {
		if _, _, _, refused := receive(in, b[:n]); refused == Accepted || n < headerLen+tagLen && refused != Truncated {
			t.Errorf("%d octets of it: %v", n, refused)
		}
	}
	for i := range b {
		for bit := range 8 {
			spoiled := bytes.Clone(b)
			spoiled[i] ^= 1 << bit
			if _, _, _, refused := receive(in, spoiled); refused == Accepted {
				t.Errorf("bit %d of octet %d makes no difference", bit, i)
			}
		}
	}
	other := testKeys(t, "the secret of another fleet", 1)
	for name, c := range map[string]struct {
		p    *pair
		want Refusal
	}{
		"back to the sender":   {out, Forged},
		"to another node":      {testPair(t, k, third, here), Forged},
		"as another node's":    {testPair(t, k, there, third), Forged},
		"under another secret": {testPair(t, other, there, here), Forged},
		"after the rotation":   {testPair(t, testKeys(t, "the secret of the fleet", 2), there, here), UnknownKey},
	} {
		if _, _, _, refused := receive(c.p, b); refused != c.want {
			t.Errorf("%s: %v, want %v", name, refused, c.want)
		}
	}
	for _, n := range []int{0, clientLen4} {
		short := out.appendMessage(nil, header{kind: datagram}, make([]byte, n))
		if _, _, _, refused := receive(in, short); refused != Truncated {
			t.Errorf("%d octets within: %v", n, refused)
		}
	}
}

// While the tunnel's key is replaced, what is sent under either is read.
func TestTunnelRotation(t *testing.T) {
	older, newer := testKeys(t, "the secret of the fleet", 1), testKeys(t, "the secret that follows", 2)
	both := Keys{Tunnel: map[uint8][]byte{1: older.Tunnel[1], 2: newer.Tunnel[2]}, TunnelKey: 2}
	in := testPair(t, both, there, here)
	for _, k := range []Keys{older, newer, both} {
		b := testPair(t, k, here, there).appendDatagram(nil, header{}, netip.MustParseAddrPort("192.0.2.7:4433"), []byte("x"))
		if _, _, _, refused := receive(in, b); refused != Accepted || b[2] != k.TunnelKey {
			t.Errorf("under key %d: %v", b[2], refused)
		}
	}
	for _, k := range []Keys{{Tunnel: map[uint8][]byte{1: older.Tunnel[1]}, TunnelKey: 2}, {Tunnel: map[uint8][]byte{1: nil}, TunnelKey: 1}} {
		if _, err := newPair(k, here, there); err == nil {
			t.Errorf("%v: no error", k)
		}
	}
}

func TestWindow(t *testing.T) {
	var w window
	for _, c := range []struct {
		counter uint64
		want    bool
	}{
		{1 << 40, true},
		{1 << 40, false},
		{1<<40 - 1, true},
		{1<<40 - 1, false},
		{1<<40 + 2, true},
		{1<<40 + 1, true},
		{1<<40 + 1, false},
		{1<<40 + 2 - windowLen, false},
		{1<<40 + 3 - windowLen, true},
		{0, false},
		{1<<40 + 10*windowLen, true},
		{1<<40 + 2, false},
		{1<<40 + 9*windowLen + 1, true},
		{1<<40 + 9*windowLen + 1, false},
	} {
		if got := w.accept(c.counter); got != c.want {
			t.Errorf("%d: %v", c.counter, got)
		}
	}
}

// The window does what a set of all counters would, as long as none is older than it reaches.
func TestWindowIsASet(t *testing.T) {
	var w window
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[uint64]bool{}
	for base := uint64(windowLen); base < 50*windowLen; base += r.Uint64N(100) {
		counter := base - r.Uint64N(windowLen/2)
		if w.newest >= counter+windowLen {
			continue
		}
		if got := w.accept(counter); got == seen[counter] {
			t.Fatalf("%d: %v", counter, got)
		}
		seen[counter] = true
	}
}

func TestRefusalNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range refusals + 1 {
		if r.String() == "" || seen[r.String()] {
			t.Errorf("refusal %d is %q", r, r)
		}
		seen[r.String()] = true
	}
}

// Whoever has no key gets nothing accepted.
func FuzzTunnel(f *testing.F) {
	k := testKeys(f, "the secret of the fleet", 1)
	out, in := testPair(f, k, here, there), testPair(f, k, there, here)
	f.Add(out.appendDatagram(nil, header{}, netip.MustParseAddrPort("192.0.2.7:4433"), []byte("x"))[:20])
	f.Add(make([]byte, headerLen+tagLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, _, refused := receive(in, b); refused == Accepted {
			t.Fatalf("%x: accepted", b)
		}
		if h, refused := parseHeader(b); refused == Accepted && !bytes.Equal(h.append(nil), b[:headerLen]) {
			t.Fatalf("%x: read as %+v", b, h)
		}
		sealed := out.appendMessage(nil, header{kind: datagram, v6: len(b)%2 == 0}, b)
		if h, client, data, refused := receive(in, sealed); refused == Accepted {
			again := out.appendDatagram(nil, header{}, client, data)
			if h.v6 != client.Addr().Is6() || !bytes.Equal(sealed[headerLen+clientLen6:], again[headerLen+clientLen6:]) {
				t.Fatalf("%x: %v %x", b, client, data)
			}
		}
	})
}

func BenchmarkTunnel(b *testing.B) {
	k := testKeys(b, "the secret of the fleet", 1)
	out, in := testPair(b, k, here, there), testPair(b, k, there, here)
	client, data := netip.MustParseAddrPort("192.0.2.7:4433"), make([]byte, 1252)
	sealed := out.appendDatagram(nil, header{}, client, data)
	room := make([]byte, 0, 2048)
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			out.appendDatagram(room, header{}, client, data)
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			text := append(room, sealed...)
			h, _ := parseHeader(text)
			if _, refused := in.decrypt(h, text); refused != Accepted {
				b.Fatal(refused)
			}
		}
	})
}
