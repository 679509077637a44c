package bgp

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bfd"
)

// BFD and BGP, by RFC 5882: a BFD session that was up and goes down ends the BGP session, as if the hold time had passed.
//
// That is all: a BGP session comes up without BFD, since the router may not speak it, and BFD begins once it is established.
// Only a strict peer's BFD comes first. (FRR 8 makes its BFD session anew when BGP comes up, and ends both if that was up.)
// A router whose operator switches BFD off, AdminDown, hasn't failed, and isn't waited for either.

// watch tells whether peers are alive. bfd.Monitor is the real one.
type watch interface {
	Set(peers []bfd.Peer) error
	Status(peer netip.Addr) (bfd.Status, bool)
	Close()
}

// againAfter is when it is looked whether GoBGP has done what it was asked: it has no event for that.
const againAfter = 5 * time.Millisecond

// strict says whether the session must wait for BFD.
func (n *neighbor) strict() bool { return n.BFD.Enabled && n.BFD.Strict }

// watched are the peers as BFD sees them.
func (s *settings) watched(established map[netip.Addr]bool) []bfd.Peer {
	var list []bfd.Peer
	for i := range s.neighbors {
		n := &s.neighbors[i]
		list = append(list, bfd.Peer{
			Address: n.Address, Local: n.LocalAddress, Multihop: n.Multihop > 0 || n.TTLSecurity > 1,
			Idle: !established[n.Address] && !n.strict(), Options: n.BFD,
		})
	}
	return list
}

// established are the peers whose session is.
func (ss *sessions) established() map[netip.Addr]bool {
	list := map[netip.Addr]bool{}
	for _, s := range ss.snapshot() {
		list[s.Address] = s.established()
	}
	return list
}

// watched takes in that a BFD session has changed. It is called by that session's goroutine, and doesn't wait.
func (ss *sessions) watched(peer netip.Addr, c bfd.Change) {
	defer ss.wake()
	if c.To == bfd.Init || c.To == bfd.AdminDown || c.From == bfd.Init && c.To == bfd.Down {
		return // nothing that anybody needs to read
	}
	text := fmt.Sprintf("BFD %s: %s", c.To, c.Reason())
	ss.tell(health.EventSignal, peer, func(s *session) string {
		if c.Failure() {
			s.failures++
		}
		if c.Failure() && s.established() {
			s.lapsed = text
			return fmt.Sprintf("%s: %s; its session ends", s.label(), text)
		}
		return fmt.Sprintf("%s: %s", s.label(), text)
	})
}

// wake has followBFD look.
func (ss *sessions) wake() { token(ss.alive) }

// token leaves one in c, if there is none.
func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// followBFD ends sessions, and lets them come up, as BFD has it, until ctx ends.
func (s *Speaker) followBFD(ctx context.Context) {
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.sessions.alive:
		case <-again.C:
		}
		if !s.settle() {
			again.Reset(againAfter)
		}
		s.attend()
	}
}

// attend has BFD begin with sessions that have come up, and end with those that have ended.
func (s *Speaker) attend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine.Load() == nil {
		return
	}
	_ = s.watch.Set(s.settings.watched(s.sessions.established())) // every port is open since the settings hold
}

// settle takes a step with each session that isn't as BFD has it; true if there is none.
func (s *Speaker) settle() bool {
	e := s.engine.Load()
	if e == nil {
		return true // the start of one wakes us
	}
	settled, now := true, e.traffic()
	for _, peer := range s.sessions.snapshot() {
		if t, there := now[peer.Address]; there && !s.settled(e, &peer, t.shut) {
			settled = false
		}
	}
	return settled
}

// settled takes the next step with one session, if there is one to take.
func (s *Speaker) settled(e *engine, peer *session, shut bool) bool {
	reason := s.reasonToShut(peer)
	var err error
	switch {
	case reason != "" && !shut:
		err = e.shutPeer(peer.Address, reason)
	case reason == "" && shut:
		s.sessions.with(peer.Address, (*session).unblock)
		err = e.openPeer(peer.Address)
	case peer.lapsed != "" && !peer.established(): // that is done; whether it may come up is another question
		s.sessions.with(peer.Address, (*session).forget)
	case peer.lapsed == "" && reason != "":
		s.sessions.with(peer.Address, func(s *session) string { return s.block(reason, true) })
		return true
	default:
		return peer.lapsed == ""
	}
	if err != nil {
		s.log.Warn("a BGP session isn't as BFD has it", "error", err) // it is tried again
	}
	return false
}

// forget notes that the session has been ended for what BFD found.
func (s *session) forget() string {
	s.lapsed = ""
	return ""
}

// unblock notes that nothing of ours keeps the session from coming up.
func (s *session) unblock() string {
	s.blocked, s.firm = "", false
	return ""
}

// reasonToShut says why a session must not be; "" if it may. Strict peers wait for BFD before a session comes up, and an
// established one ends by a failure alone.
func (s *Speaker) reasonToShut(peer *session) string {
	if peer.lapsed != "" {
		return peer.lapsed
	}
	status, watched := s.watch.Status(peer.Address)
	if !watched || !peer.strict() || peer.established() || status.State == bfd.Up || status.Remote == bfd.AdminDown {
		return ""
	}
	return fmt.Sprintf("waits for BFD, which is %s (strict): %s", status.State, status.Reason)
}

// bfdReport is what routing shows of a session's BFD; nil where it isn't configured.
func (s *Speaker) bfdReport(peer *session) *routing.BFD {
	if !peer.BFD.Enabled {
		return nil
	}
	status, watched := s.watch.Status(peer.Address)
	if !watched {
		status.Reason = "begins with the BGP session"
	}
	return &routing.BFD{
		State: status.State.String(), Remote: status.Remote.String(), Since: status.Since, Reason: status.Reason,
		Detection: status.Detection.Seconds(), Failures: peer.failures,
		Discarded: status.LastDiscarded, SendError: status.SendError,
	}
}
