package bgp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// announcement is a route as a peer gets it, in the parts that we decide.
type announcement struct {
	asPath    []uint32
	nextHop   netip.Addr // zero: the session's local address
	localPref uint32     // 0 also where there is none
	med       uint32     // 0 also where there is none
	communities
}

// String is the canonical form: equal announcements have equal strings.
func (a announcement) String() string {
	return fmt.Sprintf("as_path %v, next_hop %v, local_pref %d, med %d, communities %v, large %v", a.asPath, a.nextHop, a.localPref, a.med, a.standard, a.large)
}

// wants is what n should get for a path with set's marker and more large communities.
func (n *neighbor) wants(set attributeSet, more ...largeCommunity) announcement {
	a := announcement{nextHop: n.NextHop, med: set.med, communities: set.with(n.extra).with(communities{large: more})}
	if n.internal() {
		a.localPref = set.localPref
		return a
	}
	a.asPath = slices.Repeat([]uint32{n.ownASN}, 1+int(set.prepend))
	return a
}

// adjOut reads what n's Adj-RIB-Out holds (RFC 4271 §3.2).
func (e *engine) adjOut(n *neighbor) (map[netip.Prefix]announcement, error) {
	out := map[netip.Prefix]announcement{}
	req := apiutil.ListPathRequest{
		TableType: api.TableType_TABLE_TYPE_ADJ_OUT, Name: n.Address.String(), Family: family(n.Address),
	}
	err := e.server.ListPath(req, func(nlri gobgp.NLRI, paths []*apiutil.Path) {
		p, ok := nlri.(*gobgp.IPAddrPrefix)
		if !ok || len(paths) == 0 {
			return
		}
		out[p.Prefix] = readAnnouncement(paths[0].Attrs, n)
	})
	if err != nil {
		return nil, fmt.Errorf("read Adj-RIB-Out of %s: %w", n.Name, err)
	}
	return out, nil
}

func readAnnouncement(attrs []gobgp.PathAttributeInterface, n *neighbor) announcement {
	var a announcement
	for _, attr := range attrs {
		switch v := attr.(type) {
		case *gobgp.PathAttributeAsPath:
			for _, segment := range v.Value {
				a.asPath = append(a.asPath, segment.GetAS()...)
			}
		case *gobgp.PathAttributeNextHop:
			a.nextHop = v.Value
		case *gobgp.PathAttributeMpReachNLRI:
			a.nextHop = v.Nexthop
		case *gobgp.PathAttributeLocalPref:
			a.localPref = v.Value
		case *gobgp.PathAttributeMultiExitDisc:
			a.med = v.Value
		case *gobgp.PathAttributeCommunities:
			for _, c := range v.Value {
				a.standard = append(a.standard, community(c))
			}
		case *gobgp.PathAttributeLargeCommunities:
			for _, c := range v.Values {
				a.large = append(a.large, largeCommunity{c.ASN, c.LocalData1, c.LocalData2})
			}
		}
	}
	if !n.NextHop.IsValid() {
		a.nextHop = netip.Addr{} // the session's own, whatever it is
	}
	a.normalise()
	return a
}

// diverging lists what differs between what a peer has and what it should have, sorted by prefix.
func diverging(have, want map[netip.Prefix]announcement) []string {
	all := maps.Clone(want)
	maps.Copy(all, have)
	prefixes := slices.SortedFunc(maps.Keys(all), comparePrefixes)
	var list []string
	for _, p := range prefixes {
		h, held := have[p]
		w, wanted := want[p]
		switch {
		case !wanted:
			list = append(list, fmt.Sprintf("%s is there and should not be", p))
		case !held:
			list = append(list, fmt.Sprintf("%s is missing", p))
		case h.String() != w.String():
			list = append(list, fmt.Sprintf("%s has %s and should have %s", p, h, w))
		}
	}
	return list
}

func comparePrefixes(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}
