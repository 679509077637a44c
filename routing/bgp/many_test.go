package bgp_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

// A thousand prefixes, more than an UPDATE takes, change their level at once, again and again, and the router gets every one.
func TestThousandPrefixes(t *testing.T) {
	t.Parallel()
	r := startRouter(t, bgptest.Options{})
	var many []netip.Prefix
	for i := range 1000 {
		many = append(many, netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, byte(i / 250), byte(1 + i%250)}), 32))
	}
	o := options(peer("r", r, routerAS))
	o.Lab = true
	s := newSpeaker(t, o, many...)
	s.set(routing.Depreferred, many...)
	s.start()
	waitTable(t, r, len(many)) // all that a session begins with is there at once, and fills UPDATEs
	for range 2 {
		for _, level := range []routing.Level{routing.Announced, routing.Depreferred} {
			began := time.Now()
			s.set(level, many...)
			waitRouter(t, r, "all have their new level", func() bool {
				depreferred := 0
				for _, route := range r.Table() {
					if route.HasCommunity("65535:0") {
						depreferred++
					}
				}
				return depreferred == map[routing.Level]int{routing.Depreferred: len(many)}[level]
			})
			t.Logf("%d prefixes are %s: %s until the router has the last", len(many), level, time.Since(began).Round(time.Millisecond))
		}
	}
}
