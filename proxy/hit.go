package proxy

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/proxy/hitpath"
)

// hitter answers from what is stored, without net/http; the handlers of *cache.Cache fulfil it.
type hitter interface {
	Hit(scratch []byte, t cache.Target, f cache.FieldReader, now time.Time) (cache.Found, bool)
	AppendStatus(dst []byte, found *cache.Found) []byte
	Served(octets int64)
}

// Find answers r on the present chain, see hitpath.Finder.
func (s *Server) Find(r *hitpath.Request, a *hitpath.Answer) bool {
	c := s.chain.Load()
	return c != nil && c.find(r, a)
}

// find is the short way of a request through the chain, for what the steps would neither refuse nor change. It takes no
// decision of its own: where a step has more to do than to let r pass, r goes the long way. In the order of the steps:
//
//	selfCheck, breakLoop, cleanFields, upgrade    r has none of the fields that they look at: plainFields
//	checkMethod                                   GET and HEAD pass
//	readTarget                                    both readings of the path are the same, and the host is in normal form
//	chooseSite                                    the same tables
//	redirect                                      r came over TLS
//	admit                                         last, since what is admitted is answered: a miss is admitted once
func (c *Chain) find(r *hitpath.Request, a *hitpath.Answer) bool {
	t, host, ok := plainTarget(r)
	if !ok || !plainFields(r.Fields) {
		return false
	}
	site := c.sites.lookup(r.VIP, host)
	if site == nil {
		return false
	}
	rule := site.match(t.Path)
	if rule.hits == nil {
		return false
	}
	rule.ledgers.fetch(r.Protocol)
	found, ok := rule.hits.Hit(a.Scratch, t, r, r.At)
	if !ok || found.Answer.Length() > r.Room && r.Method != http.MethodHead {
		return false
	}
	if rule.hsts != "" && found.Answer.HasHSTS() { // from before the site was given its own
		return false
	}
	if !c.admitHit(r.Client) {
		return false
	}
	c.demand(rule)
	c.options.Metrics.begin()
	a.Found, a.Fields = found, rule.hsts
	a.Status = rule.hits.AppendStatus(a.Status, &a.Found)
	a.Account = rule.ledgers.of(r, found.Answer.Status())
	return true
}

func (c *Chain) admitHit(client netip.Addr) bool {
	return c.options.Admission == nil || c.options.Admission.Enter(client)
}

// plainTarget reads the target URI of r where nothing about it is out of the ordinary; see readTarget and readPath.
func plainTarget(r *hitpath.Request) (t cache.Target, host string, ok bool) {
	host, port, ok := splitHost(r.Host)
	authority := host
	if port != "" && port != defaultPort("https") {
		authority = r.Host // the cache ignores its case
		ok = ok && len(authority) == len(host)+len(":")+len(port)
	}
	path, query, hasQuery := strings.Cut(r.Target, "?")
	return cache.Target{Scheme: "https", Authority: authority, Path: path, Query: query, HasQuery: hasQuery}, host, ok && isPlainPath(path)
}

// plainFields reports whether every field goes to the cache as it came.
func plainFields(fields []hitpath.Field) bool {
	for _, f := range fields {
		if !isPlainField(f.Name) {
			return false
		}
	}
	return true
}

// isPlainField reports whether the chain lets the field pass as it is, and the cache answers a request with it from what is
// stored, whole.
func isPlainField(name string) bool {
	if len(name) < len(special) {
		for _, s := range special[len(name)] {
			if strings.EqualFold(name, s) {
				return false
			}
		}
	}
	if len(name) > len(forwardedPrefix) && strings.EqualFold(name[:len(forwardedPrefix)], forwardedPrefix) {
		return false
	}
	return strings.IndexByte(name, '_') < 0 // see isDisguised
}

const forwardedPrefix = "X-Forwarded-"

// special are, by their length, the fields that need more than to be looked up.
var special = func() (byLength [32][]string) {
	add := func(names ...string) {
		for _, name := range names {
			byLength[len(name)] = append(byLength[len(name)], name)
		}
	}
	add(hopByHop[:]...)
	add(overrides[:]...)
	for name := range spoofed {
		add(name)
	}
	add(loopField, "Host", "Content-Length", "Expect", "Early-Data")
	add("Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
	return byLength
}()
