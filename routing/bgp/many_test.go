package bgp_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

// A thousand prefixes change their level at once, and the router has all of them at the new one.
func TestThousandPrefixes(t *testing.T) {
	t.Parallel()
	r := startRouter(t, bgptest.Options{})
	var many []netip.Prefix
	for i := range 1000 {
		many = append(many, netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, byte(i / 250), byte(1 + i%250)}), 32))
	}
	o := options(peer("r", r, routerAS))
	o.Lab = true
	s := startSpeaker(t, o, many...)
	s.set(routing.Announced, many...)
	waitTable(t, r, len(many))
	for _, level := range []routing.Level{routing.Depreferred, routing.Announced, routing.Depreferred} {
		began := time.Now()
		s.set(level, many...)
		waitRouter(t, r, "all at the new level", func() bool {
			depreferred := 0
			for _, route := range r.Table() {
				if route.HasCommunity("65535:0") {
					depreferred++
				}
			}
			return (level == routing.Depreferred && depreferred == len(many)) || (level == routing.Announced && depreferred == 0)
		})
		t.Logf("%d prefixes to %s: %s until the router has the last", len(many), level, time.Since(began).Round(time.Millisecond))
	}
}
