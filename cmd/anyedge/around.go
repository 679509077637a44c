package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/origin"
)

// A change of route shows in clients' connections and in fills within seconds, or it has harmed nobody. One event
// afterwards says which, beside the same span before the change.
const (
	aroundSpan = 10 * time.Second
	aroundStep = time.Second
)

// tally is what has gone wrong so far.
type tally struct {
	at    time.Time
	lost  map[string]map[string]int // connections, by VIP, protocol and reason
	fills origin.Totals             // of all origins
}

// tallies are the newest, oldest first: enough to look back over aroundSpan.
type tallies []tally

func (l tallies) add(t tally) tallies {
	return append(l[max(len(l)-int(aroundSpan/aroundStep), 0):], t)
}

// change is a change of a VIP's routes whose aftermath isn't over.
type change struct {
	vip           string
	text          string // of its event
	more          int    // changes since, while it was watched
	before, began tally
}

// watchChanges tells what happened around each change of route until ctx ends.
func (n *node) watchChanges(ctx context.Context) error {
	news, cancel := n.journal.Subscribe()
	defer cancel()
	tick := time.NewTicker(aroundStep)
	defer tick.Stop()
	past, changes, seen := tallies{n.tally()}, map[string]*change{}, uint64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-news:
			for _, e := range n.journal.Since(seen) {
				seen = e.Seq
				n.routeChanged(changes, past, e)
			}
		case <-tick.C:
			now := n.tally()
			past = past.add(now)
			for vip, c := range changes {
				if now.at.Sub(c.began.at) >= aroundSpan {
					n.journal.Add(health.EventConn, vip, c.aftermath(now))
					delete(changes, vip)
				}
			}
		}
	}
}

// routeChanged begins to watch a VIP whose routes e says to have changed.
func (n *node) routeChanged(changes map[string]*change, past tallies, e health.Event) {
	if e.Kind != health.EventRoute || n.config().VIPs[e.Subject] == nil {
		return
	}
	if c := changes[e.Subject]; c != nil {
		c.more++
		return
	}
	changes[e.Subject] = &change{vip: e.Subject, text: e.Text, before: past[0], began: n.tally()}
}

func (n *node) tally() tally {
	l := n.live.Load()
	t := tally{at: time.Now(), lost: make(map[string]map[string]int, len(l.cfg.VIPs))}
	for vip := range l.cfg.VIPs {
		t.lost[vip] = n.connections.Lost(vip)
	}
	for _, p := range l.pools {
		o := p.Totals()
		t.fills.Sent += o.Sent
		t.fills.Failed += o.Failed
		t.fills.Retries += o.Retries
	}
	return t
}

// aftermath is what happened from c until now, beside as long before.
func (c *change) aftermath(now tally) string {
	more := ""
	if c.more > 0 {
		more = fmt.Sprintf(" and %d more", c.more)
	}
	return fmt.Sprintf("in the %.0fs after \"%s\"%s: %s; in the %.0fs before: %s", now.at.Sub(c.began.at).Seconds(), c.text, more,
		harm(c.vip, c.began, now), c.began.at.Sub(c.before.at).Seconds(), harm(c.vip, c.before, c.began))
}

// harm is what went wrong between two tallies: "2 connections lost (h3 timeout 2), 1 of 40 fills failed, 1 retried". A
// reload that replaces an origin begins its counts anew.
func harm(vip string, from, to tally) string {
	total, lost := 0, []string(nil)
	for _, what := range slices.Sorted(maps.Keys(to.lost[vip])) {
		if n := to.lost[vip][what] - from.lost[vip][what]; n > 0 {
			total += n
			lost = append(lost, fmt.Sprintf("%s %d", what, n))
		}
	}
	text := count(total, "connection") + " lost"
	if total > 0 {
		text += " (" + strings.Join(lost, ", ") + ")"
	}
	return text + fmt.Sprintf(", %d of %s failed, %d retried", max(to.fills.Failed-from.fills.Failed, 0),
		count(max(to.fills.Sent-from.fills.Sent, 0), "fill"), max(to.fills.Retries-from.fills.Retries, 0))
}
