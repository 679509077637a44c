package rescue_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/anyedge/anyedge/routing/rescue"
)

// What the program returns to the kernel.
const (
	goesOn     = 0xffffffff // TCX_NEXT
	redirected = 7          // TCX_REDIRECT
)

// loaded is the program with the VIP that a listener has, and a connection to it; the kernel runs it on frames that no
// interface brings. It needs privileges.
func loaded(t testing.TB, network string) (p *rescue.Program, client, vip netip.AddrPort) {
	t.Helper()
	if err := rescue.Missing(); err != nil {
		t.Skip(err)
	}
	ln, err := net.Listen(network, map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}[network])
	if err != nil {
		t.Skip(err) // a host without IPv6
	}
	t.Cleanup(func() { _ = ln.Close() })
	c, err := net.Dial(network, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	client, vip = addrPort(c.LocalAddr()), addrPort(ln.Addr())
	if p, err = rescue.LoadProgram(vip); err != nil {
		t.Skip(err) // a sandbox, say
	}
	t.Cleanup(p.Close)
	return p, client, vip
}

// frame is a packet on Ethernet.
func frame(b []byte) []byte {
	kind := uint16(0x0800)
	if b[0]>>4 == 6 {
		kind = 0x86dd
	}
	return append(binary.BigEndian.AppendUint16(make([]byte, 12), kind), b...)
}

// Only what no socket is for, and begins no connection, is led away.
func TestProgram(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6"} {
		t.Run(network, func(t *testing.T) {
			p, client, vip := loaded(t, network)
			stranger := netip.AddrPortFrom(client.Addr(), client.Port()^1)
			change := func(p packet, at int, to byte) []byte {
				b := frame(p.bytes())
				b[14+at] = to
				return b
			}
			f := func(name string, frame []byte, want uint32) {
				t.Helper()
				if got, _, err := p.Run(frame, 1); err != nil || got != want {
					t.Errorf("%s: %#x, %v; want %#x", name, got, err, want)
				}
			}
			f("of a connection", frame(packet{from: client, to: vip, flags: ack}.bytes()), goesOn)
			f("of none", frame(packet{from: stranger, to: vip, flags: ack}.bytes()), redirected)
			f("a reset of none", frame(packet{from: stranger, to: vip, flags: rst}.bytes()), redirected)
			f("of none, with options", frame(packet{from: stranger, to: vip, flags: ack, echo: new(uint32)}.bytes()), redirected)
			f("a SYN", frame(packet{from: stranger, to: vip, flags: syn}.bytes()), goesOn)
			f("to another port", frame(packet{from: stranger, to: netip.AddrPortFrom(vip.Addr(), vip.Port()^1), flags: ack}.bytes()), goesOn)
			half := frame(packet{from: stranger, to: vip, flags: ack}.bytes())
			f("of half a header", half[:len(half)-10], goesOn)
			if vip.Addr().Is4() {
				f("UDP", change(packet{from: stranger, to: vip, flags: ack}, 9, 17), goesOn)
				f("a first fragment", change(packet{from: stranger, to: vip, flags: ack}, 6, 0x20), goesOn)
				f("a later fragment", change(packet{from: stranger, to: vip, flags: ack}, 7, 1), goesOn)
			} else {
				f("UDP", change(packet{from: stranger, to: vip, flags: ack}, 6, 17), goesOn)
			}
			if n := p.Counts(); n != [3]uint64{4, 3, 0} {
				t.Errorf("looked at, missed, cookies: %v", n)
			}
		})
	}
}

// BenchmarkProgram is what each packet costs the kernel.
func BenchmarkProgram(b *testing.B) {
	p, client, vip := loaded(b, "tcp4")
	stranger := netip.AddrPortFrom(client.Addr(), client.Port()^1)
	for _, c := range []struct {
		name string
		p    packet
	}{
		{"elsewhere", packet{from: client, to: netip.AddrPortFrom(vip.Addr(), 1), flags: ack}},
		{"connection", packet{from: client, to: vip, flags: ack}},
		{"miss", packet{from: stranger, to: vip, flags: ack}},
	} {
		b.Run(c.name, func(b *testing.B) {
			_, each, err := p.Run(frame(c.p.bytes()), 1_000_000)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(each.Nanoseconds()), "ns/packet")
			b.ReportMetric(0, "ns/op")
		})
	}
}
