package rescue_test

import (
	"encoding/binary"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/anyedge/anyedge/routing/rescue"
	"github.com/anyedge/anyedge/routing/steer"
)

var (
	self = steer.NodeID{Metro: 1, Host: 1}
	near = steer.NodeID{Metro: 1, Host: 2}
	far  = steer.NodeID{Metro: 2, Host: 1}

	vip4, vip6       = netip.MustParseAddrPort("203.0.113.1:443"), netip.MustParseAddrPort("[2001:db8:1::1]:443")
	client4, client6 = netip.MustParseAddrPort("198.51.100.7:4711"), netip.MustParseAddrPort("[2001:db8:2::7]:4711")
)

// The flags of segments.
const (
	syn = 0x02
	rst = 0x04
	ack = 0x10
)

// packet is a TCP segment with timestamps; echo nil: without.
type packet struct {
	from, to netip.AddrPort
	flags    uint8
	echo     *uint32
	content  int
}

func (p packet) bytes() []byte {
	var options []byte
	if p.echo != nil {
		options = binary.BigEndian.AppendUint32([]byte{1, 1, 8, 10, 0, 0, 0, 9}, *p.echo)
	}
	tcp := make([]byte, 20, 20+len(options)+p.content)
	binary.BigEndian.PutUint16(tcp, p.from.Port())
	binary.BigEndian.PutUint16(tcp[2:], p.to.Port())
	tcp[12], tcp[13] = byte(20+len(options))/4<<4, p.flags
	tcp = append(append(tcp, options...), make([]byte, p.content)...)
	var ip []byte
	if p.to.Addr().Is4() {
		ip = make([]byte, 12, 20)
		ip[0], ip[8], ip[9] = 0x45, 64, 6
		binary.BigEndian.PutUint16(ip[2:], uint16(20+len(tcp)))
	} else {
		ip = make([]byte, 8, 40)
		ip[0], ip[6], ip[7] = 0x60, 6, 64
		binary.BigEndian.PutUint16(ip[4:], uint16(len(tcp)))
	}
	ip = append(append(ip, p.from.Addr().AsSlice()...), p.to.Addr().AsSlice()...)
	return append(ip, tcp...)
}

// wire is a tunnel that remembers.
type wire struct {
	sent    []steer.NodeID
	asked   []steer.NodeID
	flushes int
	verdict steer.Verdict // of Send; the zero value is Own, which it never returns
	full    bool          // Ask refuses
	onAsk   func()
}

func (w *wire) Send(to steer.NodeID, _ steer.Segment) steer.Verdict {
	if w.verdict != steer.Own {
		return w.verdict
	}
	w.sent = append(w.sent, to)
	return steer.Forwarded
}

func (w *wire) Flush() { w.flushes++ }

func (w *wire) Ask(list []steer.NodeID, _ steer.Segment, question []byte) bool {
	if w.full {
		return false
	}
	w.asked = append(w.asked, list...)
	if w.onAsk != nil {
		w.onAsk()
	}
	return true
}

// team is a fleet that doesn't change.
type team struct {
	self  steer.NodeID
	peers []steer.PeerStatus
	// handed says that another process of the node rescues.
	handed *bool
}

func (t team) ID() steer.NodeID          { return t.self }
func (t team) Peers() []steer.PeerStatus { return t.peers }
func (t team) MaxPacket() int            { return 1440 }
func (t team) HandedOver() bool          { return *t.handed }

func known(self steer.NodeID, others ...steer.NodeID) team {
	t := team{self: self, handed: new(bool)}
	for _, id := range others {
		t.peers = append(t.peers, steer.PeerStatus{ID: id})
	}
	return t
}

// newRescue is of a node that knows one in its metro and one elsewhere.
func newRescue(t *testing.T) (*rescue.Rescue, *rescue.Host, *wire) {
	t.Helper()
	return rescueOf(t, known(self, near, far))
}

func rescueOf(t *testing.T, f team) (*rescue.Rescue, *rescue.Host, *wire) {
	t.Helper()
	h, w := rescue.NewHost(), &wire{}
	r := rescue.New(h, f, w, slog.New(slog.DiscardHandler))
	r.Watch()
	for _, vip := range []netip.AddrPort{vip4, vip6} {
		end, err := r.Serve(vip)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(end)
	}
	return r, h, w
}
