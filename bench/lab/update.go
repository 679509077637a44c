package lab

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Update is one BGP UPDATE as it was on the wire.
type Update struct {
	At                   time.Time
	From, To             netip.Addr
	Announced, Withdrawn []netip.Prefix
	ASPath               []uint32
	MED                  uint32
	Communities          []string // "64500:1"
}

// GracefulShutdown says whether the sender asks not to be used while there is another way.
func (u Update) GracefulShutdown() bool { return slices.Contains(u.Communities, gracefulShutdown) }

func (u Update) String() string {
	return fmt.Sprintf("%s %s to %s: announced %v withdrawn %v as-path %v med %d communities %v",
		u.At.Format("15:04:05.000000"), u.From, u.To, u.Announced, u.Withdrawn, u.ASPath, u.MED, u.Communities)
}

// portBGP is the port that routers listen on.
const portBGP = 179

// ReadUpdates decodes the UPDATEs of every BGP session in a capture file of tcpdump, in the order in which they
// were sent. The capture has to hold a session from its beginning, or from a message's beginning on.
func ReadUpdates(r io.Reader) ([]Update, error) {
	packets, err := readPackets(r)
	if err != nil {
		return nil, err
	}
	streams := map[[2]netip.AddrPort]*stream{}
	var updates []Update
	for _, p := range packets {
		if p.from.Port() != portBGP && p.to.Port() != portBGP {
			continue
		}
		way := [2]netip.AddrPort{p.from, p.to}
		if streams[way] == nil || p.syn {
			streams[way] = &stream{next: p.seq}
		}
		messages, err := streams[way].add(p)
		if err != nil {
			return nil, fmt.Errorf("%s to %s at %s: %w", p.from, p.to, p.at.Format("15:04:05.000000"), err)
		}
		for _, m := range messages {
			u, ok, err := decode(m)
			if err != nil {
				return nil, fmt.Errorf("%s to %s: %w", p.from, p.to, err)
			}
			if ok {
				u.At, u.From, u.To = p.at, p.from.Addr(), p.to.Addr()
				updates = append(updates, u)
			}
		}
	}
	return updates, nil
}

// stream puts one direction of a TCP connection together. In the lab's net nothing is reordered, but what was lost
// or not acknowledged in time comes again.
type stream struct {
	next uint32
	data []byte
}

// add returns the messages that end with a segment. A gap is an error: what was in it can't be judged.
func (s *stream) add(p packet) ([][]byte, error) {
	old := int32(s.next - p.seq)
	switch {
	case len(p.data) == 0 || int(old) >= len(p.data):
		return nil, nil // an acknowledgement, or a segment that came before
	case old < 0:
		return nil, errors.New("octets are missing from the capture")
	}
	s.data = append(s.data, p.data[old:]...)
	s.next += uint32(len(p.data)) - uint32(old)
	return s.messages()
}

// messages cuts whole messages off (RFC 4271 §4.1: a marker of 16 octets, the length, the type).
func (s *stream) messages() ([][]byte, error) {
	var whole [][]byte
	for len(s.data) >= bgp.BGP_HEADER_LENGTH {
		n := int(s.data[16])<<8 | int(s.data[17])
		if n < bgp.BGP_HEADER_LENGTH {
			return nil, fmt.Errorf("a message of %d octets", n)
		}
		if n > len(s.data) {
			break
		}
		whole = append(whole, s.data[:n:n])
		s.data = s.data[n:]
	}
	return whole, nil
}

// decode reads one message; false where it is not an UPDATE.
func decode(b []byte) (Update, bool, error) {
	if b[18] != bgp.BGP_MSG_UPDATE {
		return Update{}, false, nil
	}
	m, err := bgp.ParseBGPMessage(b)
	if err != nil {
		return Update{}, false, fmt.Errorf("read an UPDATE: %w", err)
	}
	body, ok := m.Body.(*bgp.BGPUpdate)
	if !ok {
		return Update{}, false, nil
	}
	u := Update{}
	errs := []error{u.prefixes(&u.Announced, body.NLRI), u.prefixes(&u.Withdrawn, body.WithdrawnRoutes)}
	for _, a := range body.PathAttributes {
		errs = append(errs, u.attribute(a))
	}
	return u, true, errors.Join(errs...)
}

func (u *Update) attribute(a bgp.PathAttributeInterface) error {
	switch a := a.(type) {
	case *bgp.PathAttributeMpReachNLRI:
		return u.prefixes(&u.Announced, a.Value)
	case *bgp.PathAttributeMpUnreachNLRI:
		return u.prefixes(&u.Withdrawn, a.Value)
	case *bgp.PathAttributeAsPath:
		for _, segment := range a.Value {
			u.ASPath = append(u.ASPath, segment.GetAS()...)
		}
	case *bgp.PathAttributeMultiExitDisc:
		u.MED = a.Value
	case *bgp.PathAttributeCommunities:
		for _, c := range a.Value {
			u.Communities = append(u.Communities, fmt.Sprintf("%d:%d", c>>16, c&0xffff))
		}
	}
	return nil
}

// prefixes adds the prefixes of a list; what isn't one, of a family that nobody here speaks, is an error.
func (u *Update) prefixes(to *[]netip.Prefix, list []bgp.PathNLRI) error {
	for _, n := range list {
		p, err := netip.ParsePrefix(strings.TrimSpace(n.NLRI.String()))
		if err != nil {
			return fmt.Errorf("an NLRI that is no prefix: %s", n.NLRI)
		}
		*to = append(*to, p)
	}
	return nil
}
