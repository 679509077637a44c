package bfd_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing/bfd"
)

// good is a packet in state Up, octet by octet as RFC 5880 §4.1 draws it.
func good() []byte {
	return []byte{
		0x20, 0xc0, 3, 24, // version 1, no diagnostic; up; multiplier; length
		0, 0, 0, 7, // mine
		0, 0, 0, 9, // yours
		0, 0x04, 0x93, 0xe0, // 300 ms
		0, 0x03, 0x0d, 0x40, // 200 ms
		0, 0, 0, 0,
	}
}

func TestParse(t *testing.T) {
	want := bfd.Packet{State: bfd.Up, Multiplier: 3, Mine: 7, Yours: 9, MinTx: 300 * time.Millisecond, MinRx: 200 * time.Millisecond}
	for name, c := range map[string]struct {
		change func(b []byte) []byte
		want   func(p *bfd.Packet)
	}{
		"as it is":         {func(b []byte) []byte { return b }, func(*bfd.Packet) {}},
		"more follows":     {func(b []byte) []byte { return append(b, 1, 2, 3) }, func(*bfd.Packet) {}},
		"poll":             {func(b []byte) []byte { b[1] |= 0x20; return b }, func(p *bfd.Packet) { p.Poll = true }},
		"final":            {func(b []byte) []byte { b[1] |= 0x10; return b }, func(p *bfd.Packet) { p.Final = true }},
		"independent":      {func(b []byte) []byte { b[1] |= 0x08; return b }, func(p *bfd.Packet) { p.Independent = true }},
		"demand":           {func(b []byte) []byte { b[1] |= 0x02; return b }, func(p *bfd.Packet) { p.Demand = true }},
		"diagnostic":       {func(b []byte) []byte { b[0] |= 1; return b }, func(p *bfd.Packet) { p.Diagnostic = bfd.TimeExpired }},
		"down, unheard":    {func(b []byte) []byte { b[1], b[11] = 0x40, 0; return b }, func(p *bfd.Packet) { p.State, p.Yours = bfd.Down, 0 }},
		"admin-down":       {func(b []byte) []byte { b[1], b[11] = 0, 0; return b }, func(p *bfd.Packet) { p.State, p.Yours = bfd.AdminDown, 0 }},
		"no packets, echo": {func(b []byte) []byte { clear(b[16:]); b[23] = 5; return b }, func(p *bfd.Packet) { p.MinRx, p.MinEchoRx = 0, 5*time.Microsecond }},
	} {
		expected := want
		c.want(&expected)
		if p, err := bfd.Parse(c.change(good())); err != nil || p != expected {
			t.Errorf("%s: %+v, %v; want %+v", name, p, err, expected)
		}
	}
}

// What RFC 5880 §6.8.6 has discarded before any session is looked for.
func TestDiscarded(t *testing.T) {
	for want, change := range map[string]func(b []byte) []byte{
		"shorter than 24 octets":      func(b []byte) []byte { return b[:23] },
		"version 0":                   func(b []byte) []byte { b[0] = 0; return b },
		"version 2":                   func(b []byte) []byte { b[0] = 2 << 5; return b },
		"its length isn't":            func(b []byte) []byte { b[3] = 23; return b },
		"or more than there is":       func(b []byte) []byte { b[3] = 25; return b },
		"authenticated":               func(b []byte) []byte { b[1] |= 4; b[3] = 28; return append(b, 1, 4, 0, 'x') },
		"multiplier of 0":             func(b []byte) []byte { b[2] = 0; return b },
		"multipoint":                  func(b []byte) []byte { b[1] |= 1; return b },
		"a poll and its answer":       func(b []byte) []byte { b[1] |= 0x30; return b },
		"no discriminator":            func(b []byte) []byte { b[7] = 0; return b },
		"up without our discriminato": func(b []byte) []byte { b[11] = 0; return b },
		"init or up without our":      func(b []byte) []byte { b[1], b[11] = 0x80, 0; return b },
	} {
		if p, err := bfd.Parse(change(good())); err == nil || !strings.Contains(err.Error(), want) || p != (bfd.Packet{}) {
			t.Errorf("want %q: %+v, %v", want, p, err)
		}
	}
	for n := range good() {
		if _, err := bfd.Parse(good()[:n]); err == nil {
			t.Errorf("%d octets are a packet", n)
		}
	}
}

// Whatever is read can be written, and is read the same again.
func FuzzParse(f *testing.F) {
	f.Add(good())
	f.Add(good()[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := bfd.Parse(b)
		if err != nil {
			return
		}
		written := p.Append(nil)
		again, err := bfd.Parse(written)
		if err != nil || again != p {
			t.Errorf("%s: %+v; again: %+v, %v", hex.EncodeToString(b), p, again, err)
		}
	})
}
