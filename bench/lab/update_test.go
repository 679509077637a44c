package lab_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/anyedge/anyedge/bench/lab"
)

var (
	speaker4 = netip.MustParseAddrPort("10.99.4.2:40000")
	router4  = netip.MustParseAddrPort("10.99.4.1:179")
	speaker6 = netip.MustParseAddrPort("[2001:db8:99:4::2]:40001")
	router6  = netip.MustParseAddrPort("[2001:db8:99:4::1]:179")
	morning  = time.Date(2026, 1, 31, 6, 0, 0, 123456000, time.UTC)
)

func TestReadUpdates(t *testing.T) {
	announce := update(t, lab.Prefix4, nil, bgp.NewPathAttributeMultiExitDisc(65535),
		bgp.NewPathAttributeCommunities([]uint32{65535 << 16, 64512<<16 | 7}))
	withdraw := update(t, netip.Prefix{}, []netip.Prefix{lab.Prefix4})
	stream := bytes.Join([][]byte{keepAlive(t), announce, withdraw}, nil)
	c := newCapture()
	c.segment(speaker4, router4, 999, "S", nil)
	c.segment(speaker4, router4, 1000, "", stream[:30]) // a message that is spread over segments
	c.segment(router4, speaker4, 7, "", keepAlive(t))   // the other direction is a stream of its own
	c.segment(speaker4, router4, 1030, "", stream[30:60])
	c.segment(speaker4, router4, 1030, "", stream[30:60]) // sent again
	c.segment(speaker4, router4, 1050, "", stream[50:])   // sent again, with more
	c.segment(speaker6, router6, 5, "", update6(t))
	c.segment(netip.MustParseAddrPort("10.0.0.1:443"), netip.MustParseAddrPort("10.0.0.2:55"), 1, "", []byte("not BGP"))

	got, err := lab.ReadUpdates(&c.file)
	if err != nil {
		t.Fatal(err)
	}
	want := []lab.Update{
		{
			From: speaker4.Addr(), To: router4.Addr(), Announced: []netip.Prefix{lab.Prefix4}, ASPath: []uint32{64512},
			MED: 65535, Communities: []string{"65535:0", "64512:7"},
		},
		{From: speaker4.Addr(), To: router4.Addr(), Withdrawn: []netip.Prefix{lab.Prefix4}},
		{From: speaker6.Addr(), To: router6.Addr(), Announced: []netip.Prefix{lab.Prefix6}, ASPath: []uint32{64512}},
	}
	for i := range got {
		if !got[i].At.Equal(morning) {
			t.Errorf("%v: at %v, want %v", got[i], got[i].At, morning)
		}
		got[i].At = time.Time{}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if !got[0].GracefulShutdown() || got[1].GracefulShutdown() {
		t.Error("GRACEFUL_SHUTDOWN is on the first alone")
	}
}

// What a capture can't tell must not pass for a clean one.
func TestReadUpdatesRefuses(t *testing.T) {
	f := func(name, want string, fill func(c *capture)) {
		t.Helper()
		c := newCapture()
		fill(c)
		if _, err := lab.ReadUpdates(&c.file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	f("a gap", "missing from the capture", func(c *capture) {
		c.segment(speaker4, router4, 1000, "", keepAlive(t))
		c.segment(speaker4, router4, 1100, "", keepAlive(t))
	})
	f("not BGP on its port", "a message of 0 octets", func(c *capture) {
		c.segment(speaker4, router4, 1000, "", make([]byte, 40))
	})
	f("an UPDATE that can't be read", "read an UPDATE", func(c *capture) {
		bad := update(t, lab.Prefix4, nil)
		bad[len(bad)-4] = 33 // the prefix's length
		c.segment(speaker4, router4, 1000, "", bad)
	})
	f("an empty file", "header", func(c *capture) { c.file.Reset() })
	f("another format", "not a capture", func(c *capture) { c.file.Bytes()[0]++ })
	f("a huge packet", "damaged", func(c *capture) { _ = binary.Write(&c.file, binary.NativeEndian, [4]uint32{0, 0, 1 << 30, 0}) })
}

// A capture that tcpdump had no time to finish is read as far as it goes.
func TestReadUpdatesTruncated(t *testing.T) {
	c := newCapture()
	c.segment(speaker4, router4, 1000, "", update(t, lab.Prefix4, nil))
	whole := c.file.Bytes()
	for n := 24; n < len(whole); n++ {
		if got, err := lab.ReadUpdates(bytes.NewReader(whole[:n])); err != nil || len(got) != 0 {
			t.Fatalf("first %d octets: %v, %v", n, got, err)
		}
	}
	if got, err := lab.ReadUpdates(bytes.NewReader(whole)); err != nil || len(got) != 1 {
		t.Errorf("all: %v, %v", got, err)
	}
}

func FuzzReadUpdates(f *testing.F) {
	c := newCapture()
	c.segment(speaker4, router4, 1000, "S", nil)
	c.segment(speaker4, router4, 1001, "", update(f, lab.Prefix4, nil))
	c.segment(speaker6, router6, 1, "", update6(f))
	f.Add(c.file.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		updates, err := lab.ReadUpdates(bytes.NewReader(file))
		if err != nil && updates != nil {
			t.Error("updates beside an error")
		}
	})
}

// capture makes a capture file.
type capture struct{ file bytes.Buffer }

func newCapture() *capture {
	c := &capture{}
	_ = binary.Write(&c.file, binary.NativeEndian, [6]uint32{0xa1b2c3d4, 0x00040002, 0, 0, 256 << 10, 1})
	return c
}

// segment adds a TCP segment in an IP packet in an Ethernet frame.
func (c *capture) segment(from, to netip.AddrPort, seq uint32, flags string, data []byte) {
	tcp := binary.BigEndian.AppendUint16(nil, from.Port())
	tcp = binary.BigEndian.AppendUint16(tcp, to.Port())
	tcp = binary.BigEndian.AppendUint32(tcp, seq)
	tcp = append(tcp, 0, 0, 0, 0, 5<<4, 16, 0, 0, 0, 0, 0, 0)
	if flags == "S" {
		tcp[13] = 2
	}
	tcp = append(tcp, data...)
	frame := make([]byte, 12, 128)
	if from.Addr().Is4() {
		frame = append(frame, 8, 0, 0x45, 0, byte((20+len(tcp))>>8), byte(20+len(tcp)), 0, 0, 0, 0, 64, 6, 0, 0)
	} else {
		frame = append(frame, 0x86, 0xdd, 0x60, 0, 0, 0, byte(len(tcp)>>8), byte(len(tcp)), 6, 64)
	}
	frame = append(append(frame, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	frame = append(append(frame, tcp...), 0, 0, 0) // Ethernet pads short frames
	n := uint32(len(frame))
	_ = binary.Write(&c.file, binary.NativeEndian, [4]uint32{uint32(morning.Unix()), uint32(morning.Nanosecond() / 1000), n, n})
	c.file.Write(frame)
}

func keepAlive(t testing.TB) []byte {
	return serialize(t, bgp.NewBGPKeepAliveMessage())
}

func update(t testing.TB, announced netip.Prefix, withdrawn []netip.Prefix, more ...bgp.PathAttributeInterface) []byte {
	t.Helper()
	var nlri, gone []bgp.PathNLRI
	var attrs []bgp.PathAttributeInterface
	if announced.IsValid() {
		nlri = []bgp.PathNLRI{pathNLRI(t, announced)}
		hop, err := bgp.NewPathAttributeNextHop(speaker4.Addr())
		if err != nil {
			t.Fatal(err)
		}
		attrs = append([]bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(0), asPath(), hop}, more...)
	}
	for _, p := range withdrawn {
		gone = append(gone, pathNLRI(t, p))
	}
	return serialize(t, bgp.NewBGPUpdateMessage(gone, attrs, nlri))
}

func update6(t testing.TB) []byte {
	t.Helper()
	reach, err := bgp.NewPathAttributeMpReachNLRI(bgp.RF_IPv6_UC, []bgp.PathNLRI{pathNLRI(t, lab.Prefix6)}, speaker6.Addr())
	if err != nil {
		t.Fatal(err)
	}
	attrs := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(0), asPath(), reach}
	return serialize(t, bgp.NewBGPUpdateMessage(nil, attrs, nil))
}

func asPath() bgp.PathAttributeInterface {
	return bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, []uint32{lab.NodeAS})})
}

func pathNLRI(t testing.TB, p netip.Prefix) bgp.PathNLRI {
	t.Helper()
	n, err := bgp.NewIPAddrPrefix(p)
	if err != nil {
		t.Fatal(err)
	}
	return bgp.PathNLRI{NLRI: n}
}

func serialize(t testing.TB, m *bgp.BGPMessage) []byte {
	t.Helper()
	b, err := m.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
