package proxy

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/anyedge/anyedge/tls/clientauth"
)

// site is one entry of the configuration's sites, ready to serve. What a hit needs comes first.
type site struct {
	root      *rule // for paths that no prefix matches
	depth     int   // segments of the longest prefix
	own       rule  // the root, unless the paths have one: where there are many sites, a hit waits once for both
	name      string
	rules     map[string]*rule   // by prefix: "/static", without a slash at its end
	earlyData bool               // requests that may be replays are answered
	hsts      string             // the field's value; empty: it isn't ours to set
	clients   *clientauth.Policy // nil: clients show no certificate
}

// rule says what becomes of the requests below a path prefix. What a hit needs comes first.
type rule struct {
	hits      hitter  // the handler for what needs no forwarder; nil: it can't
	hsts      string  // the line that hits have besides their own; empty: none
	ledgers   ledgers // of hits
	site      string  // its name
	origin    string
	forwarder *Forwarder
	handler   http.Handler // the cache before the forwarder
}

// match returns the rule with the longest prefix of path, which has no empty or dot segments but may end in a slash.
// It makes no strings and looks no deeper than the longest prefix.
func (s *site) match(path string) *rule {
	best := s.root
	end := 0
	for range s.depth {
		if end >= len(path) {
			break
		}
		if i := strings.IndexByte(path[end+1:], '/'); i >= 0 {
			end += 1 + i
		} else {
			end = len(path)
		}
		if r := s.rules[path[:end]]; r != nil {
			best = r
		}
	}
	return best
}

// hostTable finds sites by host: an exact name beats the longest wildcard beats "*".
type hostTable struct {
	exact    map[string]*site
	wildcard map[string]*site // by what follows the star: ".example.com"
	any      *site
}

func newHostTable() *hostTable {
	return &hostTable{exact: map[string]*site{}, wildcard: map[string]*site{}}
}

// lookup returns the site of host, in lower case, or nil. A wildcard stands for one label or more, as in nginx.
func (t *hostTable) lookup(host string) *site {
	if s := t.exact[host]; s != nil {
		return s
	}
	for i := strings.IndexByte(host, '.'); i > 0; {
		if s := t.wildcard[host[i:]]; s != nil {
			return s
		}
		next := strings.IndexByte(host[i+1:], '.')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return t.any
}

// add returns the site that has pattern already, or nil.
func (t *hostTable) add(pattern string, s *site) *site {
	pattern = strings.ToLower(pattern)
	if pattern == "*" {
		if t.any != nil {
			return t.any
		}
		t.any = s
		return nil
	}
	m := t.exact
	if strings.HasPrefix(pattern, "*") {
		m, pattern = t.wildcard, pattern[1:]
	}
	if other := m[pattern]; other != nil {
		return other
	}
	m[pattern] = s
	return nil
}

// siteTable finds sites by VIP and host.
type siteTable struct {
	byVIP map[string]*hostTable
	// everywhere are the sites without a list of VIPs, for a VIP that no site names.
	everywhere *hostTable
}

// lookup returns the site that serves host on vip, or nil.
func (t *siteTable) lookup(vip, host string) *site {
	if hosts, ok := t.byVIP[vip]; ok {
		return hosts.lookup(host)
	}
	return t.everywhere.lookup(host)
}

// Serves tells whether a site on vip has host, in lower case.
func (c *Chain) Serves(vip, host string) bool { return c.sites.lookup(vip, host) != nil }

// newSiteTable builds every site; the error names every site that can't be built, in order.
func (c *Chain) newSiteTable() (*siteTable, error) {
	t := &siteTable{byVIP: map[string]*hostTable{}, everywhere: newHostTable()}
	for _, o := range c.options.Sites {
		for _, vip := range o.VIPs {
			t.byVIP[vip] = newHostTable()
		}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.options.Sites)) {
		o := c.options.Sites[name]
		s, err := c.newSite(name, o)
		errs = append(errs, err, t.add(s, o))
	}
	return t, errors.Join(errs...)
}

func (t *siteTable) add(s *site, o *SiteOptions) error {
	tables := []*hostTable{t.everywhere}
	for _, vip := range o.VIPs {
		tables = append(tables, t.byVIP[vip])
	}
	if len(o.VIPs) > 0 {
		tables = tables[1:]
	} else {
		tables = slices.AppendSeq(tables, maps.Values(t.byVIP))
	}
	var errs []error
	for _, host := range o.Hosts {
		for _, table := range tables {
			if other := table.add(host, s); other != nil {
				errs = append(errs, fmt.Errorf("sites.%s.hosts: %s is served by site %s on the same VIP", s.name, host, other.name))
				break
			}
		}
	}
	return errors.Join(errs...)
}

func (c *Chain) newSite(name string, o *SiteOptions) (*site, error) {
	s := &site{name: name, rules: map[string]*rule{}, earlyData: o.EarlyData, hsts: o.HSTS.value(), clients: c.options.ClientAuth[name]}
	var errs []error
	if o.ClientCertificates != nil && s.clients == nil {
		errs = append(errs, fmt.Errorf("sites.%s.client_certificates: the files aren't loaded", name))
	}
	s.root = &s.own
	if err := c.setUp(s.root, name, o, PathOptions{}); err != nil {
		errs = append(errs, fmt.Errorf("sites.%s: %w", name, err))
	}
	for _, key := range slices.Sorted(maps.Keys(o.Paths)) {
		r := new(rule)
		if err := c.setUp(r, name, o, o.Paths[key]); err != nil {
			errs = append(errs, fmt.Errorf("sites.%s.paths.%s: %w", name, key, err))
			continue
		}
		s.add(key, r)
	}
	return s, errors.Join(errs...)
}

func (s *site) add(key string, r *rule) {
	prefix := pathPrefix(key)
	if prefix == "" {
		s.root = r
		return
	}
	s.rules[prefix] = r
	s.depth = max(s.depth, strings.Count(prefix, "/"))
}

// chooseSite finds the site by VIP and host, and the rule by path. A host that isn't served on this VIP is answered
// with 421 (RFC 9110 §15.5.20), so that a client which reuses a connection for it, because the certificate allows, tries
// another one. A host that is served here is answered whatever name the TLS handshake had: coalescing is welcome.
func (c *Chain) chooseSite(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := exchangeFrom(r.Context())
		if ex.site = c.sites.lookup(ex.info.VIP, ex.host); ex.site == nil {
			c.fail(w, r, refusal(http.StatusMisdirectedRequest, "host_unknown"))
			return
		}
		if ex.info.TLS {
			ex.recorder.hsts = ex.site.hsts
		}
		ex.rule = ex.site.match(ex.path)
		if ex.loose != ex.path && ex.site.match(ex.loose) != ex.rule {
			c.fail(w, r, refusal(http.StatusBadRequest, "path_ambiguous"))
			return
		}
		next.ServeHTTP(w, r)
	})
}
