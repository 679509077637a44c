package bgptest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Route is a route with its path attributes as the router was told them.
type Route struct {
	Prefix      netip.Prefix
	NextHop     netip.Addr
	ASPath      []uint32
	MED         *uint32  // nil where the attribute is absent
	LocalPref   *uint32  // nil where the attribute is absent, as it should be in eBGP
	Communities []string // "65535:0", and "a:b:c" for large ones, in the order received
}

// HasCommunity says whether the route carries c, written as in Communities.
func (r Route) HasCommunity(c string) bool { return slices.Contains(r.Communities, c) }

// String is one line of a routing table; GRACEFUL_SHUTDOWN is shown by its name too.
func (r Route) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s via %s  as-path %s", r.Prefix, r.NextHop, strings.Trim(fmt.Sprint(r.ASPath), "[]"))
	if r.MED != nil {
		fmt.Fprintf(&b, "  med %d", *r.MED)
	}
	if r.LocalPref != nil {
		fmt.Fprintf(&b, "  local-pref %d", *r.LocalPref)
	}
	for _, c := range r.Communities {
		fmt.Fprintf(&b, "  %s", c)
		if c == "65535:0" {
			b.WriteString(" (graceful shutdown)")
		}
	}
	return b.String()
}

// newUpdate reads an UPDATE: IPv4 has its prefixes in the message itself, IPv6 in attributes (RFC 4760).
func newUpdate(m *gobgp.BGPUpdate) Update {
	u := Update{Withdrawn: prefixes(m.WithdrawnRoutes)}
	announced := prefixes(m.NLRI)
	var attributes Route
	for _, attr := range m.PathAttributes {
		switch a := attr.(type) {
		case *gobgp.PathAttributeMpReachNLRI:
			announced = append(announced, prefixes(a.Value)...)
			attributes.NextHop = a.Nexthop
		case *gobgp.PathAttributeMpUnreachNLRI:
			u.Withdrawn = append(u.Withdrawn, prefixes(a.Value)...)
		default:
			attributes.take(attr)
		}
	}
	for _, p := range announced {
		route := attributes
		route.Prefix = p
		u.Announced = append(u.Announced, route)
	}
	return u
}

func prefixes(list []gobgp.PathNLRI) []netip.Prefix {
	var all []netip.Prefix
	for _, n := range list {
		if p, ok := n.NLRI.(*gobgp.IPAddrPrefix); ok {
			all = append(all, p.Prefix)
		}
	}
	return all
}

// announcement is an UPDATE of our own for p.
func announcement(p netip.Prefix, o Options) (*gobgp.BGPMessage, error) {
	attrs := []gobgp.PathAttributeInterface{gobgp.NewPathAttributeOrigin(gobgp.BGP_ORIGIN_ATTR_TYPE_IGP)}
	var path []gobgp.AsPathParamInterface
	if o.ASN != o.PeerASN {
		path = append(path, gobgp.NewAs4PathParam(gobgp.BGP_ASPATH_ATTR_TYPE_SEQ, []uint32{o.ASN}))
	}
	attrs = append(attrs, gobgp.NewPathAttributeAsPath(path), gobgp.NewPathAttributeLocalPref(100))
	nlri, err := gobgp.NewIPAddrPrefix(p)
	if err != nil {
		return nil, err
	}
	list := []gobgp.PathNLRI{{NLRI: nlri}}
	if p.Addr().Is6() {
		reach, err := gobgp.NewPathAttributeMpReachNLRI(gobgp.RF_IPv6_UC, list, o.Address)
		return gobgp.NewBGPUpdateMessage(nil, append(attrs, reach), nil), err
	}
	nextHop, err := gobgp.NewPathAttributeNextHop(o.Address)
	return gobgp.NewBGPUpdateMessage(nil, append(attrs, nextHop), list), err
}

// withdrawal is an UPDATE that takes p back.
func withdrawal(p netip.Prefix) (*gobgp.BGPMessage, error) {
	nlri, err := gobgp.NewIPAddrPrefix(p)
	if err != nil {
		return nil, err
	}
	list := []gobgp.PathNLRI{{NLRI: nlri}}
	if p.Addr().Is4() {
		return gobgp.NewBGPUpdateMessage(list, nil, nil), nil
	}
	unreach, err := gobgp.NewPathAttributeMpUnreachNLRI(gobgp.RF_IPv6_UC, list)
	return gobgp.NewBGPUpdateMessage(nil, []gobgp.PathAttributeInterface{unreach}, nil), err
}

// take reads one attribute.
func (r *Route) take(attr gobgp.PathAttributeInterface) {
	switch a := attr.(type) {
	case *gobgp.PathAttributeNextHop:
		r.NextHop = a.Value
	case *gobgp.PathAttributeAsPath:
		for _, segment := range a.Value {
			r.ASPath = append(r.ASPath, segment.GetAS()...)
		}
	case *gobgp.PathAttributeMultiExitDisc:
		r.MED = &a.Value
	case *gobgp.PathAttributeLocalPref:
		r.LocalPref = &a.Value
	case *gobgp.PathAttributeCommunities:
		for _, c := range a.Value {
			r.Communities = append(r.Communities, fmt.Sprintf("%d:%d", c>>16, c&0xffff))
		}
	case *gobgp.PathAttributeLargeCommunities:
		for _, c := range a.Values {
			r.Communities = append(r.Communities, fmt.Sprintf("%d:%d:%d", c.ASN, c.LocalData1, c.LocalData2))
		}
	}
}
