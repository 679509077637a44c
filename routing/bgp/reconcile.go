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
	vip       string
	level     routing.Level
	set       attributeSet
	informs   []largeCommunity // says why to whom it may concern
	withheld  []string         // the classes of peers that don't get it
	blackhole bool             // only peers that take blackholes get it
}

// isFor says whether a peer gets the path.
func (p *placed) isFor(n *neighbor) bool {
	return !slices.Contains(p.withheld, n.Class) && (!p.blackhole || n.Blackhole)
}

// same says whether the path needn't change to become other.
func (p *placed) same(other *placed) bool {
	return slices.Equal(p.withheld, other.withheld) && p.blackhole == other.blackhole &&
		p.set.fingerprint() == other.set.fingerprint() && slices.Equal(p.informs, other.informs)
}

func (p placed) text(prefix netip.Prefix) string {
	if p.blackhole {
		return fmt.Sprintf("%s announced to be dropped", prefix)
	}
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
		next := s.settings.place(r)
		old, there := s.placed[p]
		c.next[p] = next
		if !there || old.text(p) != next.text(p) {
			c.events = append(c.events, event{r.VIP, next.text(p)})
		}
		if there && old.same(&next) {
			continue
		}
		path, err := newPath(p, audience(next.withheld), next.set, next.informs...)
		if err != nil {
			return nil, err
		}
		c.added = append(c.added, path)
	}
	return c, s.differenceGone(c)
}

// place is how a route becomes a path.
func (s *settings) place(r routing.Route) placed {
	if r.Blackhole {
		return placed{vip: r.VIP, level: r.Level, set: blackholes(), blackhole: true}
	}
	p := placed{vip: r.VIP, level: r.Level, set: s.levels[r.Level], withheld: r.Withheld}
	if s.options.Informational {
		p.informs = informs(s.options.ASN, r)
	}
	return p
}

// The functions of the large communities that say why, RFC 8195 §2.
const (
	informsReason = 9001 // its parameter is routing.Reason.Code
	informsLevel  = 9002
)

func informs(asn uint32, r routing.Route) []largeCommunity {
	return []largeCommunity{{asn, informsReason, r.Reason.Code()}, {asn, informsLevel, uint32(r.Level)}}
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
