package lab

import (
	"encoding/binary"
	"net/netip"
	"reflect"
	"slices"
	"syscall"
	"testing"
)

func TestParseRoute(t *testing.T) {
	v4, v6 := netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8:100::/48")
	hop4, hop6 := netip.MustParseAddr("10.99.4.2"), netip.MustParseAddr("fe80::4:2")
	tests := []struct {
		name    string
		message *syscall.NetlinkMessage
		want    RouteEvent
	}{
		{
			"added", message(syscall.RTM_NEWROUTE, v4, attr(syscall.RTA_GATEWAY, hop4.AsSlice()), attr(syscall.RTA_OIF, word(3))),
			RouteEvent{Route: Route{v4, []Hop{{Via: hop4, index: 3}}}},
		},
		{
			"gone", message(syscall.RTM_DELROUTE, v6, attr(syscall.RTA_GATEWAY, hop6.AsSlice()), attr(syscall.RTA_OIF, word(4))),
			RouteEvent{Gone: true, Route: Route{v6, []Hop{{Via: hop6, index: 4}}}},
		},
		{
			"connected", message(syscall.RTM_NEWROUTE, v4, attr(syscall.RTA_OIF, word(3))),
			RouteEvent{Route: Route{v4, []Hop{{index: 3}}}},
		},
		{
			"IPv4 by way of IPv6",
			message(syscall.RTM_NEWROUTE, v4, attr(rtaVia, append([]byte{syscall.AF_INET6, 0}, hop6.AsSlice()...)), attr(syscall.RTA_OIF, word(3))),
			RouteEvent{Route: Route{v4, []Hop{{Via: hop6, index: 3}}}},
		},
		{
			"ECMP", message(syscall.RTM_NEWROUTE, v4, attr(syscall.RTA_MULTIPATH, append(nextHop(3, hop4), nextHop(4, hop4.Next())...))),
			RouteEvent{Route: Route{v4, []Hop{{Via: hop4, index: 3}, {Via: hop4.Next(), index: 4}}}},
		},
		{
			"default", message(syscall.RTM_NEWROUTE, netip.MustParsePrefix("::/0"), attr(syscall.RTA_OIF, word(3))),
			RouteEvent{Route: Route{netip.MustParsePrefix("::/0"), []Hop{{index: 3}}}},
		},
	}
	for _, tt := range tests {
		got, ok := parseRoute(tt.message)
		if !ok || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v, %t, want %v", tt.name, got, ok, tt.want)
		}
	}
}

func TestParseRouteIgnores(t *testing.T) {
	local := message(syscall.RTM_NEWROUTE, netip.MustParsePrefix("198.51.100.10/32"))
	local.Data[4] = syscall.RT_TABLE_LOCAL
	unreachable := message(syscall.RTM_NEWROUTE, netip.MustParsePrefix("198.51.100.0/24"))
	unreachable.Data[7] = syscall.RTN_UNREACHABLE
	short := message(syscall.RTM_NEWROUTE, netip.MustParsePrefix("198.51.100.0/24"))
	short.Data = short.Data[:8]
	for name, m := range map[string]*syscall.NetlinkMessage{"local table": local, "unreachable": unreachable, "short": short} {
		if e, ok := parseRoute(m); ok {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// Whatever the kernel may send, a hop list is read without looking beyond it.
func TestParseHopsTruncated(t *testing.T) {
	whole := append(nextHop(3, netip.MustParseAddr("10.99.4.2")), nextHop(4, netip.MustParseAddr("10.99.4.3"))...)
	for n := range whole {
		if hops := parseHops(slices.Clip(slices.Clone(whole[:n]))); len(hops) > 1 {
			t.Errorf("first %d octets: %v", n, hops)
		}
	}
}

func message(kind uint16, p netip.Prefix, attrs ...[]byte) *syscall.NetlinkMessage {
	family := byte(syscall.AF_INET)
	if p.Addr().Is6() {
		family = syscall.AF_INET6
	}
	data := []byte{family, byte(p.Bits()), 0, 0, syscall.RT_TABLE_MAIN, 0, 0, syscall.RTN_UNICAST, 0, 0, 0, 0}
	if p.Bits() > 0 {
		data = append(data, attr(syscall.RTA_DST, p.Addr().AsSlice())...)
	}
	data = append(data, slices.Concat(attrs...)...)
	return &syscall.NetlinkMessage{
		Header: syscall.NlMsghdr{Len: uint32(syscall.NLMSG_HDRLEN + len(data)), Type: kind}, Data: data,
	}
}

func attr(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(syscall.SizeofRtAttr+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	return append(b, make([]byte, align4(len(b))-len(b))...)
}

func nextHop(dev uint32, via netip.Addr) []byte {
	attrs := attr(syscall.RTA_GATEWAY, via.AsSlice())
	b := binary.NativeEndian.AppendUint16(nil, uint16(8+len(attrs)))
	b = append(b, 0, 0)
	return append(append(b, word(dev)...), attrs...)
}

func word(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }
