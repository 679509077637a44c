package bgp

import (
	"context"
	"net/netip"
)

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
		if family(p.Addr()) == family(n.Address) && placed.isFor(n) {
			want[p] = n.wants(placed.set, placed.informs...)
		}
	}
	return want
}
