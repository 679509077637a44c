package steer

import "time"

// silence is how long nothing has been heard of p, or how long it has been known. A clock that is set changes nothing in it.
func (p *peer) silence(now time.Time) time.Duration {
	return now.Sub(p.state.since) - time.Duration(p.state.heard.Load())
}

// silent are the peers that nothing is heard of.
func (t *table) silent(now time.Time) (list []NodeID) {
	for _, p := range t.list {
		if p.silence(now) >= silentAfter {
			list = append(list, p.ID)
		}
	}
	return list
}

// isDead says whether p is dead, so that this node may answer for it. That its own tunnel to p is down isn't enough: p's
// clients may reach p, and a reset would end connections that live. So p has said goodbye, or the fleet has given it up,
// or no other node hears it either.
func (t *table) isDead(p *peer, now time.Time) bool {
	silence := p.silence(now)
	switch {
	case p.state.beat.gone():
		return true
	case silence < silentAfter:
		return false
	case p.Dead:
		return true
	}
	witnesses := 0
	for _, w := range t.list {
		if w == p || w.silence(now) >= silentAfter {
			continue
		}
		if !w.state.beat.hearsNothingOf(p.ID) {
			return false
		}
		witnesses++
	}
	return witnesses > 0 || silence >= aloneAfter
}
