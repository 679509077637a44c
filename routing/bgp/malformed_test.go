package bgp_test

import (
	"net/netip"
	"testing"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

// Whatever a router sends, the process lives, other sessions don't notice, nothing is imported, and the router that sent
// it has our route, at the latest when its session is back.
func TestMalformedUpdates(t *testing.T) {
	t.Parallel()
	if races {
		t.Skip("GoBGP v4.8.0 changes a neighbor's configuration that it has published when a session ends (server.handleFSMMessage), while others read it: seldom, but here many sessions end at once amid updates")
	}
	steady := startRouter(t, bgptest.Options{})
	peers := options(peer("steady", steady, routerAS))
	routers, octets := map[string]*bgptest.Router{}, bgptest.Malformed()
	host := byte(20)
	for name := range octets {
		routers[name] = startRouter(t, bgptest.Options{Address: netip.AddrFrom4([4]byte{127, 0, 0, host})})
		peers.Peers = append(peers.Peers, peer(name, routers[name], routerAS))
		host++
	}
	s := startSpeaker(t, peers, prefix4)
	s.set(routing.Announced, prefix4)
	s.established()
	for name, r := range routers {
		waitTable(t, r, 1)
		if err := r.Send(octets[name]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.set(routing.Depreferred, prefix4)
	for name, r := range routers {
		s.await(name+": our route at its new level", func() bool {
			table := r.Table()
			return len(table) == 1 && table[0].Prefix == prefix4 && table[0].HasCommunity("65535:0")
		})
	}
	if steady.Session().Count != 1 || len(steady.Table()) != 1 {
		t.Errorf("the steady router saw %+v and %v", steady.Session(), steady.Table())
	}
}
