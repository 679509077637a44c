package rescue_test

import (
	"bytes"
	"testing"

	"github.com/anyedge/anyedge/routing/rescue"
)

func TestParse(t *testing.T) {
	echo := uint32(0xfedcba98)
	for name, p := range map[string]packet{
		"IPv4":                     {from: client4, to: vip4, flags: ack, echo: &echo, content: 100},
		"IPv4, without timestamps": {from: client4, to: vip4, flags: ack},
		"IPv6":                     {from: client6, to: vip6, flags: ack | rst, echo: &echo},
	} {
		b := p.bytes()
		got, ok := rescue.Parse(b)
		want := rescue.Parsed{Client: p.from, VIP: p.to, Flags: p.flags}
		if p.echo != nil {
			want.Echo, want.Echoes = echo, true
		}
		if !ok || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, ok, want)
		}
		for n := range b {
			if _, ok := rescue.Parse(b[:n]); ok {
				t.Errorf("%s: %d of %d octets pass", name, n, len(b))
			}
		}
		if got, ok := rescue.Parse(append(bytes.Clone(b), 0, 0, 0)); !ok || got != want {
			t.Errorf("%s, padded: %+v, %v", name, got, ok)
		}
	}
}

func TestParseOdd(t *testing.T) {
	good := func() []byte { return packet{from: client4, to: vip4, flags: ack}.bytes() }
	f := func(name string, change func(b []byte)) {
		b := good()
		change(b)
		if got, ok := rescue.Parse(b); ok {
			t.Errorf("%s: %+v", name, got)
		}
	}
	f("UDP", func(b []byte) { b[9] = 17 })
	f("version 5", func(b []byte) { b[0] = 0x55 })
	f("a header of 16 octets", func(b []byte) { b[0] = 0x44 })
	f("a first fragment", func(b []byte) { b[6] = 0x20 })
	f("a later fragment", func(b []byte) { b[7] = 1 })
	f("a length below the header's", func(b []byte) { b[2], b[3] = 0, 10 })
	f("a TCP header of 16 octets", func(b []byte) { b[32] = 4 << 4 })
	f("a TCP header longer than the segment", func(b []byte) { b[32] = 15 << 4 })
}

// Options in any order, and broken ones.
func TestParseOptions(t *testing.T) {
	f := func(name string, options []byte, want bool) {
		b := packet{from: client4, to: vip4, flags: ack}.bytes()
		b = append(b, options...)
		b[3], b[32] = byte(len(b)), byte(20+len(options))/4<<4
		got, ok := rescue.Parse(b)
		if !ok || got.Echoes != want || want && got.Echo != 0x01020304 {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	f("SACK before", []byte{1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 8, 10, 0, 0, 0, 0, 1, 2, 3, 4}, true)
	f("the end before", []byte{0, 0, 8, 10, 0, 0, 0, 0, 1, 2, 3, 4}, false)
	f("of no length", []byte{1, 1, 1, 8}, false)
	f("of length 0", []byte{9, 0, 8, 10, 0, 0, 0, 0, 1, 2, 3, 4}, false)
	f("longer than the header", []byte{1, 1, 8, 10}, false)
	f("of another length", []byte{8, 8, 0, 0, 1, 2, 3, 4}, false)
}

func FuzzParse(f *testing.F) {
	echo := uint32(7)
	f.Add(packet{from: client4, to: vip4, flags: ack, echo: &echo, content: 3}.bytes())
	f.Add(packet{from: client6, to: vip6, flags: syn}.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := rescue.Parse(b)
		if ok && (p.Client.Addr().Is4() != p.VIP.Addr().Is4() || !p.Client.Addr().IsValid()) {
			t.Errorf("%x: %+v", b, p)
		}
		if w, ok := rescue.ParseWord(b); ok && !bytes.Equal(w.Append(nil), b) {
			t.Errorf("%x: %+v says %x", b, w, w.Append(nil))
		}
	})
}

func TestWord(t *testing.T) {
	for _, w := range []rescue.Word{{Client: client4, VIP: vip4}, {Mine: true, Client: client6, VIP: vip6}} {
		b := w.Append(nil)
		if got, ok := rescue.ParseWord(b); !ok || got != w {
			t.Errorf("%+v: %+v, %v", w, got, ok)
		}
		for n := range b {
			if got, ok := rescue.ParseWord(b[:n]); ok && n != 13 {
				t.Errorf("%d of %d octets: %+v", n, len(b), got)
			}
		}
		b[0] = 3
		if _, ok := rescue.ParseWord(b); ok {
			t.Error("an unknown kind passes")
		}
	}
}
