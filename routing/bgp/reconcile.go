package bgp

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

const (
	// sentWait bounds how long a change waits to be written; writing takes well under 1 ms unless a peer doesn't read.
	// It isn't shortened by contexts: in the greatest hurry routes must still be seen to go.
	sentWait = 100 * time.Millisecond
	// pollInterval is how often GoBGP is asked what it has done, where it has no event.
	pollInterval = time.Millisecond
)

// placed is a path that GoBGP has from us.
type placed struct {
	vip         string
	level       routing.Level
	fingerprint uint32
}

// change is the difference between what GoBGP has and what is wanted.
type change struct {
	added, removed []*apiutil.Path
	events         []event
	next           map[netip.Prefix]placed
}

type event struct{ subject, text string }

func (c *change) empty() bool { return len(c.added)+len(c.removed) == 0 }

// families are those that the change touches.
func (c *change) families() []gobgp.Family {
	var list []gobgp.Family
	for _, p := range slices.Concat(c.added, c.removed) {
		if !slices.Contains(list, p.Family) {
			list = append(list, p.Family)
		}
	}
	return list
}

// reconcile makes GoBGP's paths what is wanted. The caller holds mu.
func (s *Speaker) reconcile() error {
	e := s.engine.Load()
	if e == nil {
		return nil
	}
	c, err := s.difference()
	if err != nil || c.empty() {
		return err
	}
	before := e.traffic()
	if err := e.apply(c.added, c.removed); err != nil {
		return err
	}
	s.placed = c.next
	for _, ev := range c.events {
		s.journal.Add(health.EventRoute, ev.subject, ev.text)
	}
	e.awaitSent(before, c.families())
	s.compare(e)
	return nil
}

// difference works out the change, in the prefixes' order.
func (s *Speaker) difference() (*change, error) {
	c := &change{next: map[netip.Prefix]placed{}}
	for _, p := range slices.SortedFunc(maps.Keys(s.wanted), comparePrefixes) {
		r := s.wanted[p]
		next := placed{vip: r.VIP, level: r.Level, fingerprint: s.settings.levels[r.Level].fingerprint()}
		old, there := s.placed[p]
		c.next[p] = next
		if there && old.level != next.level || !there {
			c.events = append(c.events, event{r.VIP, fmt.Sprintf("%s %s (level %d)", p, r.Level, r.Level)})
		}
		if there && old.fingerprint == next.fingerprint {
			continue
		}
		path, err := newPath(p, next.fingerprint)
		if err != nil {
			return nil, err
		}
		c.added = append(c.added, path)
	}
	return c, s.differenceGone(c)
}

// differenceGone adds what is no longer wanted.
func (s *Speaker) differenceGone(c *change) error {
	for _, p := range slices.SortedFunc(maps.Keys(s.placed), comparePrefixes) {
		if _, still := c.next[p]; still {
			continue
		}
		path, err := withdrawnPath(p)
		if err != nil {
			return err
		}
		c.removed = append(c.removed, path)
		c.events = append(c.events, event{s.placed[p].vip, fmt.Sprintf("%s withdrawn", p)})
	}
	return nil
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

// compareNewSessions compares when a session has come up, since then its routes go out without a call of Set.
func (s *Speaker) compareNewSessions(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.sessions.up:
			s.mu.Lock()
			if e := s.engine.Load(); e != nil {
				s.compare(e)
			}
			s.mu.Unlock()
		}
	}
}

// compare holds each established peer's Adj-RIB-Out against what is placed, for the metric and the journal.
// The caller holds mu.
func (s *Speaker) compare(e *engine) {
	for _, session := range s.sessions.snapshot() {
		if !session.established() {
			continue
		}
		have, err := e.adjOut(&session.neighbor)
		if err != nil {
			s.log.Debug("adj-rib-out not compared", "peer", session.Name, "error", err)
			continue
		}
		s.sessions.diverges(session.Address, diverging(have, s.wantedBy(&session.neighbor)))
	}
}

// wantedBy is what n's Adj-RIB-Out should hold.
func (s *Speaker) wantedBy(n *neighbor) map[netip.Prefix]announcement {
	want := map[netip.Prefix]announcement{}
	for p, placed := range s.placed {
		if family(p.Addr()) == family(n.Address) {
			want[p] = n.wants(s.settings.levels[placed.level])
		}
	}
	return want
}
