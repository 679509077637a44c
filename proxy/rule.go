package proxy

import (
	"cmp"
	"fmt"
	"net/http"

	"github.com/anyedge/anyedge/cache"
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
	r := &rule{origin: origin, forwarder: NewForwarder(c.options.Node, origin, pool)}
	r.passed = c.through(site, cache.Policy{Off: true}, r.forwarder)
	r.cached = r.passed
	if !policy.Off {
		r.cached = c.through(site, policy, r.forwarder)
	}
	return r, nil
}

// through is the way to f by the cache.
func (c *Chain) through(site string, p cache.Policy, f *Forwarder) http.Handler {
	if c.options.Cache == nil {
		return c.relayFrom(f)
	}
	return c.options.Cache.Handler(site, p, f, c.fail)
}
