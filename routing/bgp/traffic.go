package bgp

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/api"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

const (
	// sentWait bounds how long a change waits to be written; writing takes well under 1 ms unless a peer doesn't read.
	// It isn't shortened by contexts: in the greatest hurry routes must still be seen to go.
	sentWait = 100 * time.Millisecond
	// pollInterval is how often GoBGP is asked what it has written: it has no event for that.
	pollInterval = time.Millisecond
)

// traffic is what GoBGP says of one peer's session.
type traffic struct {
	up      bool
	idle    bool
	shut    bool   // by us: it doesn't come up by itself
	updates uint64 // UPDATEs written since the peer was added
}

// traffic asks GoBGP for every peer.
func (e *engine) traffic() map[netip.Addr]traffic {
	list := map[netip.Addr]traffic{}
	_ = e.server.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) { // fails only once stopped
		if a, err := netip.ParseAddr(p.GetConf().GetNeighborAddress()); err == nil {
			list[a] = traffic{
				up:      p.GetState().GetSessionState() == api.PeerState_SESSION_STATE_ESTABLISHED,
				idle:    p.GetState().GetSessionState() == api.PeerState_SESSION_STATE_IDLE,
				shut:    p.GetState().GetAdminState() == api.PeerState_ADMIN_STATE_DOWN,
				updates: p.GetState().GetMessages().GetSent().GetUpdate(),
			}
		}
	})
	return list
}

// awaitSent waits until every peer that is up and concerned was written another UPDATE than before.
func (e *engine) awaitSent(before map[netip.Addr]traffic, changed []gobgp.Family) {
	ctx, cancel := context.WithTimeout(context.Background(), sentWait)
	defer cancel()
	e.await(ctx, func(peer netip.Addr, now traffic) bool {
		concerned := now.up && before[peer].up && slices.Contains(changed, family(peer))
		return !concerned || now.updates > before[peer].updates
	})
}

// await asks GoBGP for its traffic until every peer's is as it should be, or until ctx ends.
func (e *engine) await(ctx context.Context, good func(netip.Addr, traffic) bool) {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for !all(e.traffic(), good) {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
	}
}

func all(list map[netip.Addr]traffic, good func(netip.Addr, traffic) bool) bool {
	for peer, now := range list {
		if !good(peer, now) {
			return false
		}
	}
	return true
}
