package bgptest

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Update is one UPDATE message (RFC 4271 §4.3) as it came in.
type Update struct {
	Announced []Route
	Withdrawn []netip.Prefix
}

// Session is what has become of the speaker's session.
type Session struct {
	Up    bool
	Count int // how many times it came up
	// LastDown says why the last connection ended: "NOTIFICATION 6/2" and the speaker's message, or how it broke.
	LastDown string
	HoldTime time.Duration // what the speaker's last OPEN proposed
	// Capabilities are the codes in the speaker's last OPEN (RFC 5492), sorted.
	Capabilities []uint8
}

// Table is what the router was told in the present session and still holds, sorted by prefix.
func (r *Router) Table() []Route {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.table), func(a, b Route) int {
		if c := a.Prefix.Addr().Compare(b.Prefix.Addr()); c != 0 {
			return c
		}
		return a.Prefix.Bits() - b.Prefix.Bits()
	})
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
	return r.session
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

func (r *Router) signal() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// established makes c the session; false if there is one, or the router stops.
func (r *Router) established(c *connection, open *gobgp.BGPOpen) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.current != nil {
		return false
	}
	r.current = c
	r.session.Up = true
	r.session.Count++
	r.session.HoldTime = time.Duration(open.HoldTime) * time.Second
	r.session.Capabilities = capabilities(open)
	r.signal()
	return true
}

func capabilities(open *gobgp.BGPOpen) []uint8 {
	var codes []uint8
	for _, p := range open.OptParams {
		if list, ok := p.(*gobgp.OptionParameterCapability); ok {
			for _, c := range list.Capability {
				codes = append(codes, uint8(c.Code()))
			}
		}
	}
	slices.Sort(codes)
	return codes
}

// ended takes in the end of a connection; with the session goes all that it told.
func (r *Router) ended(c *connection, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session.LastDown = err.Error()
	if r.current == c {
		r.current, r.session.Up = nil, false
		clear(r.table)
	}
	r.log.Debug("connection ended", "reason", err)
	r.signal()
}

// take takes in an UPDATE.
func (r *Router) take(m *gobgp.BGPUpdate) {
	u := newUpdate(m)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history = append(r.history, u)
	for _, p := range u.Withdrawn {
		delete(r.table, p)
	}
	for _, route := range u.Announced {
		r.table[route.Prefix] = route
	}
	r.signal()
}
