//go:build lab

package lab

import (
	"fmt"
	"net/netip"
	"slices"
)

// Link is a cable between two hosts, with an IPv4 /24 and an IPv6 /64 of its own.
type Link struct{ A, B End }

// End is where a link meets a host: an interface named after the host on the other end.
//
// The ends know each other's MAC address: the kernel loses the first neighbour solicitation of a new interface and
// repeats it a second later, which would hide everything that is quicker.
type End struct {
	Host   *Host
	Dev    string
	V4, V6 netip.Addr

	linkLocal netip.Addr
	mac       string
}

// nowhere is a MAC address that no interface has.
const nowhere = "02:00:00:00:00:00"

// Link connects two hosts.
func (l *Lab) Link(a, b *Host) *Link {
	l.Helper()
	l.links++
	k := &Link{A: newEnd(a, b, l.links, 1), B: newEnd(b, a, l.links, 2)}
	a.ip("link", "add", "name", k.A.Dev, "address", k.A.mac, "type", "veth",
		"peer", "name", k.B.Dev, "address", k.B.mac, "netns", b.ns)
	for _, e := range k.ends() {
		e.Host.ip("link", "set", "dev", e.Dev, "addrgenmode", "none")
		e.Host.ip("address", "add", e.V4.String()+"/24", "dev", e.Dev)
		e.Host.ip("address", "add", e.V6.String()+"/64", "dev", e.Dev)
		e.Host.ip("address", "add", e.linkLocal.String()+"/64", "dev", e.Dev)
	}
	k.Restore()
	return k
}

// The networks that links take theirs from.
var linkNetworks = [...]netip.Prefix{
	netip.MustParsePrefix("10.99.0.0/16"),
	netip.MustParsePrefix("2001:db8:99::/48"),
	netip.MustParsePrefix("fe80::/64"),
}

// isLink says whether an address is a link's.
func isLink(a netip.Addr) bool {
	return slices.ContainsFunc(linkNetworks[:], func(p netip.Prefix) bool { return p.Contains(a) })
}

func newEnd(h, other *Host, link, side int) End {
	return End{
		Host: h, Dev: other.Name,
		V4:        netip.AddrFrom4([4]byte{10, 99, byte(link), byte(side)}),
		V6:        netip.MustParseAddr(fmt.Sprintf("2001:db8:99:%x::%x", link, side)),
		linkLocal: netip.MustParseAddr(fmt.Sprintf("fe80::%x:%x", link, side)),
		mac:       fmt.Sprintf("02:00:00:00:%02x:%02x", link, side),
	}
}

// Cut unplugs the link: both hosts see it, routes over it go.
func (k *Link) Cut() {
	for _, e := range k.ends() {
		e.Host.ip("link", "set", "dev", e.Dev, "down")
	}
}

// Blackhole lets the link swallow every packet while it looks well: only those notice who miss an answer.
func (k *Link) Blackhole() {
	k.A.neighbour(k.B, nowhere)
	k.B.neighbour(k.A, nowhere)
}

// Restore ends Cut and Blackhole.
func (k *Link) Restore() {
	for _, e := range k.ends() {
		e.Host.ip("link", "set", "dev", e.Dev, "up")
	}
	k.A.neighbour(k.B, k.B.mac)
	k.B.neighbour(k.A, k.A.mac)
	k.A.routes(k.B)
	k.B.routes(k.A)
}

func (k *Link) ends() [2]End { return [2]End{k.A, k.B} }

// neighbour says where the other end is.
func (e End) neighbour(other End, mac string) {
	for _, a := range []netip.Addr{other.V4, other.V6, other.linkLocal} {
		e.Host.ip("neighbour", "replace", a.String(), "dev", e.Dev, "lladdr", mac, "nud", "permanent")
	}
}

// routes sets the static routes by way of the other end.
func (e End) routes(other End) {
	for _, r := range e.Host.routes {
		if r.via == other.V4 || r.via == other.V6 {
			e.Host.setRoute(r)
		}
	}
}
