package bgp

import (
	"fmt"
	"net/netip"
	"slices"
)

// The longest prefixes that networks of the public net commonly accept.
const (
	longestIPv4 = 24
	longestIPv6 = 48
)

// The shortest prefixes that one network holds: anything shorter attracts much of the net.
const (
	shortestIPv4 = 8
	shortestIPv6 = 16
)

// bogons are the addresses that the public net doesn't route (RFC 6890 and its registries), but for loopback and private
// ones, and for the documentation's, which stand for public ones in examples.
var bogons = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // between carriers and their customers, RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), // benchmarks, RFC 2544
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("100::/64"), // discard-only, RFC 6666
}

// CheckPrefix says why p must not be announced to these peers; "" if it may. Without peers nothing leaves, so only what
// is wrong everywhere is reported.
func (o *Options) CheckPrefix(p netip.Prefix) string {
	if privateAS(o.ASN) && p.IsValid() && p == p.Masked() {
		// A private AS number of ours is not seen outside: whoever takes our routes announces what covers them.
		p = covering(p)
	}
	return checkPrefix(p, o.inside(), o.Lab || len(o.Peers) == 0)
}

// covering is the longest prefix around p that networks of the public net accept.
func covering(p netip.Prefix) netip.Prefix {
	longest := longestIPv6
	if p.Addr().Is4() {
		longest = longestIPv4
	}
	return netip.PrefixFrom(p.Addr(), min(p.Bits(), longest)).Masked()
}

// checkPrefix says why p must not be announced; "" if it may. Inside, that is to iBGP peers, private AS numbers and in a
// lab, private addresses and host routes are common; outside they are a leak that a careful peer answers with a filter
// and a careless one passes on.
func checkPrefix(p netip.Prefix, inside, lab bool) string {
	a := p.Addr()
	switch {
	case !p.IsValid():
		return "is not a prefix"
	case p != p.Masked():
		return fmt.Sprintf("has bits set beyond its length: %s is meant?", p.Masked())
	case a.Is4In6():
		return "is an IPv4 address in IPv6 notation"
	case p.Bits() == 0:
		return "is the default route"
	case a.Is4() && p.Bits() < shortestIPv4, a.Is6() && p.Bits() < shortestIPv6:
		return fmt.Sprintf("is shorter than /%d (IPv4) or /%d (IPv6): it would attract much of the net", shortestIPv4, shortestIPv6)
	case a.IsUnspecified(), a.IsMulticast(), a.IsLinkLocalUnicast():
		return "is not unicast address space"
	case a.IsLoopback() && !lab:
		return "is loopback, which only bgp.lab allows"
	case inside || lab:
		return ""
	case a.IsPrivate(), slices.ContainsFunc(bogons, func(b netip.Prefix) bool { return b.Contains(a) }):
		return "is private or reserved address space, and a peer is outside; bgp.lab allows it"
	case a.Is4() && p.Bits() > longestIPv4, a.Is6() && p.Bits() > longestIPv6:
		return fmt.Sprintf("is longer than /%d (IPv4) or /%d (IPv6), which no network outside accepts; announce the covering prefix, or set bgp.lab", longestIPv4, longestIPv6)
	}
	return ""
}

// privateAS says whether asn is for use inside networks (RFC 6996).
func privateAS(asn uint32) bool {
	return asn >= 64512 && asn <= 65534 || asn >= 4200000000 && asn <= 4294967294
}

// inside says whether every peer belongs to our own network, as far as AS numbers tell.
func (o *Options) inside() bool {
	for i := range o.Peers {
		if asn := o.Peers[i].ASN; asn != o.ASN && !privateAS(asn) {
			return false
		}
	}
	return true
}
