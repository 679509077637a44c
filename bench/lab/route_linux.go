package lab

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Route is one prefix of a host's forwarding table.
type Route struct {
	Prefix netip.Prefix
	Hops   []Hop // several for ECMP
}

// Hop is one way that a route leads.
type Hop struct {
	Via netip.Addr // invalid for a connected network
	Dev string

	index int32 // the interface's; Dev is its name
}

// RouteEvent is one change of a host's forwarding table.
type RouteEvent struct {
	At   time.Time // when the kernel's word of it was read
	Gone bool      // the route was deleted; else it was added or replaced
	Route
}

func (e RouteEvent) String() string {
	if e.Gone {
		return fmt.Sprintf("%s %s gone", e.At.Format("15:04:05.000000"), e.Prefix)
	}
	return fmt.Sprintf("%s %s", e.At.Format("15:04:05.000000"), e.Route)
}

func (r Route) String() string {
	s := r.Prefix.String()
	for _, h := range r.Hops {
		if h.Via.IsValid() {
			s += " via " + h.Via.String()
		}
		s += " dev " + h.Dev
	}
	return s
}

// over says whether any of the route's hops leaves by dev.
func (r Route) over(dev string) bool {
	return slices.ContainsFunc(r.Hops, func(h Hop) bool { return h.Dev == dev })
}

// parseRoute reads an RTM_NEWROUTE or RTM_DELROUTE message (rtnetlink(7)). What doesn't forward to a prefix is
// reported by false: other tables, and types such as local, broadcast and unreachable.
func parseRoute(m *syscall.NetlinkMessage) (RouteEvent, bool) {
	if len(m.Data) < syscall.SizeofRtMsg || m.Data[4] != syscall.RT_TABLE_MAIN || m.Data[7] != syscall.RTN_UNICAST {
		return RouteEvent{}, false
	}
	attrs, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return RouteEvent{}, false
	}
	family, bits := m.Data[0], int(m.Data[1])
	zero := netip.IPv4Unspecified()
	if family == syscall.AF_INET6 {
		zero = netip.IPv6Unspecified()
	}
	e := RouteEvent{Gone: m.Header.Type == syscall.RTM_DELROUTE, Route: Route{Prefix: netip.PrefixFrom(zero, bits)}}
	var only Hop
	for _, a := range attrs {
		switch a.Attr.Type {
		case syscall.RTA_DST:
			if dst, ok := netip.AddrFromSlice(a.Value); ok {
				e.Prefix = netip.PrefixFrom(dst, bits)
			}
		case syscall.RTA_MULTIPATH:
			e.Hops = parseHops(a.Value)
		default:
			only.attribute(a.Attr.Type, a.Value)
		}
	}
	if only.index != 0 {
		e.Hops = append(e.Hops, only)
	}
	return e, e.Prefix.IsValid()
}

// attribute takes one attribute of a hop.
func (h *Hop) attribute(kind uint16, value []byte) {
	switch kind {
	case syscall.RTA_GATEWAY:
		h.Via, _ = netip.AddrFromSlice(value)
	case syscall.RTA_OIF:
		if len(value) == 4 {
			h.index = int32(binary.NativeEndian.Uint32(value))
		}
	case rtaVia: // a gateway of the other family
		if len(value) > 2 {
			h.Via, _ = netip.AddrFromSlice(value[2:])
		}
	}
}

// rtaVia is RTA_VIA, which package syscall lacks.
const rtaVia = 18

// parseHops reads the hops of RTA_MULTIPATH: struct rtnexthop (length 2, flags 1, weight 1, interface 4), then its
// attributes, each padded to 4 octets.
func parseHops(b []byte) []Hop {
	const header = 8
	var hops []Hop
	for len(b) >= header {
		n := int(binary.NativeEndian.Uint16(b))
		if n < header || n > len(b) {
			return hops
		}
		h := Hop{index: int32(binary.NativeEndian.Uint32(b[4:]))}
		for attrs := b[header:n]; len(attrs) >= syscall.SizeofRtAttr; {
			size := int(binary.NativeEndian.Uint16(attrs))
			if size < syscall.SizeofRtAttr || size > len(attrs) {
				break
			}
			h.attribute(binary.NativeEndian.Uint16(attrs[2:]), attrs[syscall.SizeofRtAttr:size])
			attrs = attrs[min(align4(size), len(attrs)):]
		}
		hops = append(hops, h)
		b = b[min(align4(n), len(b)):]
	}
	return hops
}

func align4(n int) int { return (n + 3) &^ 3 }
