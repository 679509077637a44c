package lab

import "net/netip"

// What the fleet announces and serves, and where its content comes from.
var (
	VIP4    = netip.MustParseAddr("198.51.100.10")
	VIP6    = netip.MustParseAddr("2001:db8:100::10")
	Prefix4 = netip.MustParsePrefix("198.51.100.0/24")
	Prefix6 = netip.MustParsePrefix("2001:db8:100::/48")
	Origin4 = netip.MustParseAddr("192.0.2.80")
	Origin6 = netip.MustParseAddr("2001:db8:80::80")
)

// The autonomous systems.
const (
	CoreAS = 64500
	AmsAS  = 64501
	FraAS  = 64502
	NodeAS = 64512
)

// Prefixes are what every node announces.
func Prefixes() []netip.Prefix { return []netip.Prefix{Prefix4, Prefix6} }

// OriginName and SiteName are the names that the origin and the fleet's site have certificates for.
const (
	OriginName = "origin.lab.test"
	SiteName   = "www.lab.test"
)
