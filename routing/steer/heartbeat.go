package steer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/anyedge/anyedge/health"
)

// goodbyes are sent, as one may be lost.
const goodbyes = 3

// keepBeat asks every peer whether it lives, until ctx ends; then it says goodbye.
func (s *Steerer) keepBeat(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		if !s.isHanded() { // else the process that has the tunnel asks, and speaks for this one
			s.round(n%probeEvery == 0)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.leaving.Store(true)
			for range goodbyes {
				if !s.isHanded() {
					s.goodbye()
				}
			}
			return
		}
	}
}

// round asks every peer, and judges which are dead.
func (s *Steerer) round(probe bool) {
	t, now := s.table.Load(), time.Now()
	m := s.body(t, now)
	for _, p := range t.list {
		if m.challenge = p.state.beat.ask(now); s.ask(p, m, 0) != nil {
			p.state.sendErrors.Add(1)
		}
		if dead := t.isDead(p, now); dead != p.state.dead.Swap(dead) {
			s.tell(p, dead, p.silence(now))
		}
	}
	s.probe(t, m, now, probe)
}

// tell writes down that a peer is dead, or that it lives again.
func (s *Steerer) tell(p *peer, dead bool, silent time.Duration) {
	text := "steering: it answers: its packets go to it again"
	switch {
	case dead && p.state.beat.gone():
		text = "steering: it said goodbye: its clients are told that their connections are lost"
	case dead:
		text = fmt.Sprintf("steering: silent for %v, and nobody hears it: its clients are told that their connections are lost", silent.Round(100*time.Millisecond))
	}
	s.log.Info(text, "node", p.Name)
	s.journal.Add(health.EventNode, p.Name, text)
}

// probe looks for the MTU of the path to every peer, or at once to those where the last probe has been answered. What else
// is sent at this moment isn't fragmented either.
func (s *Steerer) probe(t *table, m body, now time.Time, all bool) {
	wanted := func(p *peer) bool { return all || p.state.beat.searching() }
	if !slices.ContainsFunc(t.list, wanted) || setFragments(s.socket, s.v6, false) != nil {
		return
	}
	for _, p := range t.list {
		if !wanted(p) {
			continue
		}
		var size int
		m.challenge, size = p.state.beat.askSize(now, p.silence(now) < silentAfter)
		_ = s.ask(p, m, size) // what is too long for the interface is lost, too
	}
	_ = setFragments(s.socket, s.v6, true)
}

// ask sends a ping, padded to an IP packet of size octets; 0: as short as it is.
func (s *Steerer) ask(p *peer, m body, size int) error {
	content := m.append(nil)
	if pad := size - p.outerLen() - headerLen - tagLen - len(content); pad > 0 {
		content = append(content, make([]byte, pad)...)
	}
	return s.send(p.pair.appendMessage(nil, p.stamp(header{kind: ping}), content), nil, p.Tunnel)
}

// body is what this node says of itself.
func (s *Steerer) body(t *table, now time.Time) body {
	return body{generation: t.self.Generation, silent: t.silent(now), leaving: s.leaving.Load()}
}

// goodbye tells every peer that this process ends, so that they answer for its connections.
func (s *Steerer) goodbye() {
	t, now := s.table.Load(), time.Now()
	m := s.body(t, now)
	for _, p := range t.list {
		m.challenge = p.state.beat.ask(now)
		_ = s.ask(p, m, 0) // there is nothing more to do
	}
}

// heardNow is told that p answered.
func (p *peer) heardNow(now time.Time, rtt time.Duration, mtu int) {
	p.state.heard.Store(int64(now.Sub(p.state.since)))
	p.state.mtu.Store(int32(mtu))
	if was := p.state.rtt.Load(); was != 0 {
		rtt = (7*time.Duration(was) + rtt) / 8 // as TCP smoothes it, RFC 6298
	}
	p.state.rtt.Store(int64(max(rtt, 1)))
}

// closing returns err unless it only says that the socket has been closed.
func closing(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
