package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/routing"
)

// unconfirmed reports, as Mistakes, each prefix that is announced now and that cfg would silently end: whole fleets have
// vanished by a change of configuration that nobody took for a withdrawal. announced are the VIPs that attract traffic.
func unconfirmed(old, cfg *configs.Config, announced map[string]bool) error {
	var mistakes configs.Mistakes
	left := prefixes(cfg)
	if len(cfg.BGP.Peers) == 0 {
		left = nil
	}
	for _, vip := range slices.Sorted(maps.Keys(old.VIPs)) {
		for _, p := range old.VIPs[vip].Announce {
			if announced[vip] && !covered(p, left) && !slices.Contains(cfg.BGP.ConfirmWithdraw, p) {
				mistakes = append(mistakes, cfg.Mistake("vips."+vip+".announce", fmt.Sprintf(
					"a reload would end the announcement of %s: drain %s first, or list the prefix in bgp.confirm_withdraw", p, vip)))
			}
		}
	}
	return sorted(mistakes)
}

// covered says whether all of p is in one of the prefixes.
func covered(p netip.Prefix, by []netip.Prefix) bool {
	return slices.ContainsFunc(by, func(c netip.Prefix) bool { return c.Bits() <= p.Bits() && c.Overlaps(p) })
}

// announcedNow are the VIPs that are at a level where peers have their routes.
func (n *node) announcedNow() map[string]bool {
	announced := map[string]bool{}
	if len(n.config().BGP.Peers) == 0 {
		return announced
	}
	all, _ := n.control.Explain("") // fails for a name that isn't there, and this is none
	for _, e := range all {
		announced[e.VIP] = e.Level < routing.Withdrawn
	}
	return announced
}
