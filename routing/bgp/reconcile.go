package bgp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// placed is a path that GoBGP has from us.
type placed struct {
	vip         string
	level       routing.Level
	fingerprint uint32
	withheld    []string // the classes of peers that don't get it
}

func (p placed) text(prefix netip.Prefix) string {
	text := fmt.Sprintf("%s %s (level %d)", prefix, p.level, p.level)
	if len(p.withheld) > 0 {
		text += ", withheld from " + strings.Join(p.withheld, ", ")
	}
	return text
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
		next := placed{vip: r.VIP, level: r.Level, fingerprint: s.settings.levels[r.Level].fingerprint(), withheld: r.Withheld}
		old, there := s.placed[p]
		c.next[p] = next
		same := there && slices.Equal(old.withheld, next.withheld)
		if !same || old.level != next.level {
			c.events = append(c.events, event{r.VIP, next.text(p)})
		}
		if same && old.fingerprint == next.fingerprint {
			continue
		}
		path, err := newPath(p, audience(next.withheld), next.fingerprint)
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
