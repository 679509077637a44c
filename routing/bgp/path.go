package bgp

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// markerAS is the AS of internal markers: the last one, reserved by RFC 7300, so that nobody else's community has it.
const markerAS = 4294967295

// everyPeer is the part of a marker that says whom it is for; see audience for others.
const everyPeer = 0

// marker is the large community that tells the export policy who gets a path, and with which attributes.
func marker(audience, fingerprint uint32) largeCommunity {
	return largeCommunity{markerAS, audience, fingerprint}
}

// family is the address family of a prefix, or of the session with a peer at an address.
func family(a netip.Addr) gobgp.Family {
	if a.Is4() {
		return gobgp.RF_IPv4_UC
	}
	return gobgp.RF_IPv6_UC
}

// newPath is the local path for p with the attributes of set, and large communities for all peers. It is built whole each
// time, since AddPath replaces and never merges. The large communities are the path's own, since only it knows why it is
// there; whatever else set says, the export policy adds for each peer.
//
// The unspecified next hop becomes each session's local address. LOCAL_PREF 0 is there because a policy can't set 0 in
// GoBGP; the export policy sets what is greater, and to eBGP peers it isn't sent.
func newPath(p netip.Prefix, audience uint32, set attributeSet, more ...largeCommunity) (*apiutil.Path, error) {
	var large []*gobgp.LargeCommunity
	for _, c := range slices.Concat([]largeCommunity{marker(audience, set.fingerprint())}, set.large, more) {
		large = append(large, gobgp.NewLargeCommunity(c[0], c[1], c[2]))
	}
	return buildPath(p,
		origin(set.prepend),
		gobgp.NewPathAttributeLocalPref(0),
		gobgp.NewPathAttributeLargeCommunities(large),
	)
}

// origin is the ORIGIN of a path of ours, which claims to be longer than it is by what our AS numbers take in AS_PATH. GoBGP
// adds those without adding to AS_PATH's length, and then works out by the lengths how many prefixes an UPDATE takes: one
// that is full would come out longer than a message may be, and is dropped with a word to the log alone. What is sent is as
// long as it is.
func origin(prepend uint8) *gobgp.PathAttributeOrigin {
	const segment, asNumber = 2, 4 // octets
	o := gobgp.NewPathAttributeOrigin(gobgp.BGP_ORIGIN_ATTR_TYPE_IGP)
	o.Length += segment + asNumber*max(uint16(prepend), 1)
	return o
}

// withdrawnPath is what DeletePath takes for p.
func withdrawnPath(p netip.Prefix) (*apiutil.Path, error) { return buildPath(p) }

func buildPath(p netip.Prefix, attrs ...gobgp.PathAttributeInterface) (*apiutil.Path, error) {
	nlri, err := gobgp.NewIPAddrPrefix(p)
	if err != nil {
		return nil, fmt.Errorf("announce %s: %w", p, err)
	}
	unspecified := netip.IPv4Unspecified()
	if p.Addr().Is6() {
		unspecified = netip.IPv6Unspecified()
	}
	nextHop, err := gobgp.NewPathAttributeNextHop(unspecified)
	if err != nil {
		return nil, fmt.Errorf("announce %s: %w", p, err)
	}
	return &apiutil.Path{Family: family(p.Addr()), Nlri: nlri, Attrs: append(attrs, nextHop)}, nil
}
