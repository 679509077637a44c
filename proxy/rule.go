package proxy

import (
	"cmp"
	"fmt"
)

// newRule builds what a path of site does; what p leaves out is the site's.
func (c *Chain) newRule(site string, o *SiteOptions, p PathOptions) (*rule, error) {
	origin := cmp.Or(p.Origin, o.Origin)
	pool := c.options.Pools[origin]
	if pool == nil {
		return nil, fmt.Errorf("origin: there is no %q among the origins", origin)
	}
	policy := o.Cache
	if p.Cache != nil {
		policy = *p.Cache
	}
	f := NewForwarder(c.options.Node, origin, pool)
	f.hsts = o.HSTS != nil
	r := &rule{site: site, hsts: hstsLine(o.HSTS.value()), origin: origin, forwarder: f, handler: c.options.Cache.Handler(site, policy, f, c.fail)}
	if c.options.ClientAuth[site] == nil { // else each request's connection has to be looked at
		r.hits, _ = r.handler.(hitter)
	}
	r.ledgers = newLedgers(c, r)
	return r, nil
}
