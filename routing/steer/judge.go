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

// isDead says whether p is dead, so that this node may answer for it. That its own tunnel to p is down isn't enough, nor that
// the fleet seems gone from here: p's clients may reach p, and a reset would end connections that live. So p has said
// goodbye, or other nodes that are heard here don't hear it either; all of them, where the fleet hasn't given it up.
func (t *table) isDead(p *peer, now time.Time) bool {
	silence := p.silence(now)
	switch {
	case p.state.beat.gone():
		return true
	case silence < silentAfter:
		return false
	}
	witnesses, deaf := 0, 0
	for _, w := range t.list {
		if w == p || w.silence(now) >= silentAfter {
			continue
		}
		witnesses++
		if w.state.beat.hearsNothingOf(p.ID) {
			deaf++
		}
	}
	switch {
	case witnesses == 0:
		return silence >= aloneAfter
	case p.Dead:
		return deaf > 0
	default:
		return deaf == witnesses
	}
}
