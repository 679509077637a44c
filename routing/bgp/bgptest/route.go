package bgptest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
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

// newRoute reads a path of a unicast family.
func newRoute(p *apiutil.Path) (Route, bool) {
	nlri, ok := p.Nlri.(*gobgp.IPAddrPrefix)
	if !ok {
		return Route{}, false
	}
	r := Route{Prefix: nlri.Prefix}
	for _, attr := range p.Attrs {
		r.take(attr)
	}
	return r, true
}

func (r *Route) take(attr gobgp.PathAttributeInterface) {
	switch a := attr.(type) {
	case *gobgp.PathAttributeNextHop:
		r.NextHop = a.Value
	case *gobgp.PathAttributeMpReachNLRI:
		r.NextHop = a.Nexthop
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
