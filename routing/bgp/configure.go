package bgp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// Configure makes o and allowed the configuration of a running speaker. What is wrong with them changes nothing.
//
// A peer whose options, password and hold time are the same keeps its session; one that changed gets a new one, one that
// is gone a Cease. A prefix that is no longer allowed is withdrawn. A level or a peer whose attributes changed is announced anew,
// one UPDATE for each prefix. Another asn or router_id needs a restart, since every session rests on them.
func (s *Speaker) Configure(_ context.Context, o Options, allowed []netip.Prefix) error {
	next, err := newSettings(o, allowed)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.engine.Load()
	switch {
	case s.phase != running || e == nil:
		return s.adopt(next)
	case len(next.neighbors) > 0 && (e.asn != o.ASN || e.routerID != o.RouterID):
		return fmt.Errorf("bgp.asn %d, bgp.router_id %s: a change needs a restart; running with %d and %s", o.ASN, o.RouterID, e.asn, e.routerID)
	}
	return s.change(e, next)
}

// adopt takes settings where no session is affected; with the first peers the engine starts.
func (s *Speaker) adopt(next *settings) error {
	old := s.settings
	s.settings = next
	s.forget(next)
	if s.phase != running {
		return nil
	}
	if err := s.startEngine(); err != nil {
		s.settings = old
		return err
	}
	return s.reconcile()
}

// change applies settings to a running engine. The order keeps every step safe: what is no longer allowed is withdrawn
// while the old policies hold, and policies that know old and new attributes come before paths that carry the new ones.
func (s *Speaker) change(e *engine, next *settings) error {
	if err := s.watch.Set(next.watched(s.sessions.established())); err != nil {
		return err
	}
	defer s.sessions.wake() // who is strict may have changed
	s.forget(next)
	if err := s.reconcile(); err != nil {
		return err
	}
	if err := e.setPolicies(next.policyInput(s.settings)); err != nil {
		return fmt.Errorf("set the BGP policies: %w", err)
	}
	old := s.settings.neighbors
	err := s.changePeers(e, old, next.neighbors)
	s.settings = next
	err = errors.Join(err, s.reconcile())
	for i := range next.neighbors {
		if n := &next.neighbors[i]; slices.ContainsFunc(old, n.getsOther) {
			err = errors.Join(err, e.resend(n))
		}
	}
	s.compare(e)
	return err
}

// forget drops what is wanted and not allowed by next.
func (s *Speaker) forget(next *settings) {
	maps.DeleteFunc(s.wanted, func(p netip.Prefix, r routing.Route) bool {
		return !r.Blackhole && !next.allows(p) || r.Blackhole && !next.allowsHost(p)
	})
}

// changePeers ends sessions that are gone or changed and begins those that are new or changed.
func (s *Speaker) changePeers(e *engine, old, next []neighbor) error {
	s.sessions.replace(next)
	var errs []error
	for i := range old {
		if n := &old[i]; !slices.ContainsFunc(next, n.sameSession) {
			errs = append(errs, e.deletePeer(n))
			s.journal.Add(health.EventRoute, n.Name, fmt.Sprintf("session with %s closed: the configuration has it no longer, or not like this", n.label()))
		}
	}
	for i := range next {
		if n := &next[i]; !slices.ContainsFunc(old, n.sameSession) {
			errs = append(errs, e.addPeer(n))
		}
	}
	return errors.Join(errs...)
}
