package proxy

import (
	"cmp"
	"fmt"
)

// setUp makes r what a path of site does; what p leaves out is the site's.
func (c *Chain) setUp(r *rule, site string, o *SiteOptions, p PathOptions) error {
	origin := cmp.Or(p.Origin, o.Origin)
	pool := c.options.Pools[origin]
	if pool == nil {
		return fmt.Errorf("origin: there is no %q among the origins", origin)
	}
	policy := o.Cache
	if p.Cache != nil {
		policy = *p.Cache
	}
	f := NewForwarder(c.options.Node, origin, pool)
	f.hsts = o.HSTS != nil
	r.site, r.origin, r.hsts, r.forwarder = site, origin, hstsLine(o.HSTS.value()), f
	r.handler = c.options.Cache.Handler(site, policy, f, c.fail)
	if c.options.ClientAuth[site] == nil { // else each request's connection has to be looked at
		r.hits, _ = r.handler.(hitter)
	}
	r.ledgers.init(c, r)
	return nil
}
