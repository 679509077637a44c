package routing

import (
	"net/netip"
	"slices"
	"time"
)

// holders returns for each prefix the view that holds it: where VIPs share one, the VIP with the worst level. The
// router can't tell their packets apart, so a better level would bring packets to a VIP that can't serve them.
func holders(views []view) map[netip.Prefix]*view {
	held := make(map[netip.Prefix]*view, len(views))
	for i := range views {
		v := &views[i]
		for _, p := range v.vip.Prefixes {
			p = p.Masked()
			if h := held[p]; h == nil || h.level() < v.level() {
				held[p] = v
			}
		}
	}
	return held
}

// dropped are the routes to the addresses that peers shall drop. They end with the process, as all others do.
func (v *view) dropped() (list []Route) {
	if v.hole == nil || v.record.Input.Stop != "" {
		return nil
	}
	for _, a := range v.vip.Addresses {
		list = append(list, Route{VIP: v.vip.Name, Prefix: netip.PrefixFrom(a, a.BitLen()), Blackhole: true})
	}
	return list
}

func (v *view) level() Level { return v.record.Decision.To }

// routes returns what the speaker should announce by the last round, by ascending prefix, and when that was decided.
func (c *Controller) routes() (list []Route, decided time.Time) {
	views := *c.view.Load()
	for p, v := range holders(views) {
		if v.level() < Withdrawn {
			list = append(list, Route{VIP: v.vip.Name, Prefix: p, Level: v.level(), Withheld: v.record.Decision.Withheld, Reason: v.moved})
		}
	}
	for i := range views {
		list = append(list, views[i].dropped()...)
	}
	slices.SortFunc(list, func(a, b Route) int { return a.Prefix.Compare(b.Prefix) })
	if len(views) > 0 {
		decided = views[0].record.Input.Now
	}
	return list, decided
}
