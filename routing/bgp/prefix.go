package bgp

import (
	"fmt"
	"net/netip"
)

// The longest prefixes that networks of the public net commonly accept.
const (
	longestIPv4 = 24
	longestIPv6 = 48
)

// sharedAddresses is the address space between carriers and their customers (RFC 6598).
var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10")

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
	case a.IsUnspecified(), a.IsMulticast(), a.IsLinkLocalUnicast():
		return "is not unicast address space"
	case a.IsLoopback() && !lab:
		return "is loopback, which only bgp.lab allows"
	case inside || lab:
		return ""
	case a.IsPrivate(), sharedAddresses.Contains(a):
		return "is private address space, and a peer is outside; bgp.lab allows it"
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
