package bgptest

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Update is one UPDATE message (RFC 4271 §4.3) as it came in.
type Update struct {
	Announced []Route
	Withdrawn []netip.Prefix
}

// Session is what has become of the speaker's session.
type Session struct {
	Up       bool
	Count    int    // how many times it came up
	LastDown string // why it last went down, in GoBGP's words
}

// Updates are all UPDATEs since the start, in order.
func (r *Router) Updates() []Update {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.history)
}

// Session reports the session with the speaker.
func (r *Router) Session() Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Session{Up: r.up, Count: r.sessions, LastDown: r.lastDown}
}

// Changed gives a token when there may be something new: an UPDATE, or the session up or down.
func (r *Router) Changed() <-chan struct{} { return r.changed }

// Wait waits until met, which it asks at once and after each change, or until ctx ends. Only one may wait at a time.
func (r *Router) Wait(ctx context.Context, met func() bool) error {
	for !met() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.changed:
		}
	}
	return nil
}

// update takes in one UPDATE message; GoBGP calls it with all its paths.
func (r *Router) update(paths []*apiutil.Path, _ time.Time) {
	var u Update
	for _, p := range paths {
		route, ok := newRoute(p)
		switch {
		case !ok:
		case p.Withdrawal:
			u.Withdrawn = append(u.Withdrawn, route.Prefix)
		default:
			u.Announced = append(u.Announced, route)
		}
	}
	r.mu.Lock()
	r.history = append(r.history, u)
	r.mu.Unlock()
	r.signal()
}

// session takes in a change of the session's state.
func (r *Router) session(e *apiutil.WatchEventMessage_PeerEvent, _ time.Time) {
	if e.Type != apiutil.PEER_EVENT_STATE {
		return
	}
	up := e.Peer.State.SessionState == gobgp.BGP_FSM_ESTABLISHED
	r.mu.Lock()
	switch {
	case up && !r.up:
		r.sessions++
	case !up && r.up:
		r.lastDown = e.Peer.State.DisconnectMessage
	}
	r.up = up
	r.mu.Unlock()
	r.signal()
}

func (r *Router) signal() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

func sortRoutes(table []Route) {
	slices.SortFunc(table, func(a, b Route) int {
		if c := a.Prefix.Addr().Compare(b.Prefix.Addr()); c != 0 {
			return c
		}
		return a.Prefix.Bits() - b.Prefix.Bits()
	})
}
