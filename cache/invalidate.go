package cache

import (
	"net/http"
	"net/url"
	"strings"
)

// invalidates tells whether a response to a method makes stored ones invalid, RFC 9111 §4.4: the method isn't safe, and the
// response isn't an error.
func invalidates(method string, status int) bool {
	return !isSafe(method) && status >= 200 && status < 400
}

// isSafe tells whether a method is known to be safe, RFC 9110 §9.2.1. CONNECT has no target URI that could be stored.
func isSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodConnect, "QUERY", "PROPFIND", "REPORT", "SEARCH":
		return true
	}
	return false
}

// invalidate removes what is stored for the request's target URI and shares its groups, and what is stored for those that
// Location and Content-Location name, when they have the same origin: otherwise one site could empty another's cache.
func (c *Cache) invalidate(p *Policy, r *http.Request, response http.Header) {
	key := p.appendRequestURI(nil, r)
	groups := c.groupsOf(r.Context(), key)
	c.invalidateKey(key)
	c.invalidateTags(groups)
	base := targetURL(r)
	for _, name := range []string{"Location", "Content-Location"} {
		if key := sameOriginKey(p, base, response.Get(name)); key != nil {
			c.invalidateKey(key)
		}
	}
	if c.tier != nil {
		c.durableBehind()
	}
}

// invalidateKey removes what is stored for a target URI, under whatever further parts of the key. Unlike a purge it counts
// nothing, since a client waits for it. Where the store has nothing of the key, there is nothing to remember.
func (c *Cache) invalidateKey(key []byte) {
	if c.tier != nil && c.tier.mayHold(key, c.index.get(c.index.hash(key), key)) {
		c.purgeSlot(key, false)
	} else {
		c.purgeMemory(key, false)
		if c.tier != nil && c.tier.mayHold(key, nil) { // it came there just before memory forgot it
			c.purgeSlot(key, false)
		}
	}
	if same := c.searches.canonical(key); len(same) != len(key) {
		c.purgeMemory(same, false)
		c.invalidateParts(same)
	}
	c.invalidateParts(key)
}

func (c *Cache) invalidateParts(key []byte) {
	if c.keyParts.Load() {
		c.purges.addPrefix(prefixPurge{prefix: string(uriOf(key)) + string(keyPart)})
		c.sweep()
	}
}

// sameOriginKey is the key of a reference, nil when it leads elsewhere. A path that needs no resolving stays as it was
// written, octet for octet, as those of requests do.
func sameOriginKey(p *Policy, base *url.URL, reference string) []byte {
	if reference == "" {
		return nil
	}
	u, err := base.Parse(reference)
	if err != nil || u.Scheme != base.Scheme {
		return nil
	}
	if string(appendAuthority(nil, u.Scheme, u.Host)) != string(appendAuthority(nil, base.Scheme, base.Host)) {
		return nil
	}
	path := u.EscapedPath()
	if written := referencePath(reference); written != "" && !strings.Contains(written, "/.") {
		path = written
	}
	return p.appendURI(nil, u.Scheme, u.Host, path, u.RawQuery, hasQuery(u))
}

// referencePath is the path of a reference as it was written, empty where it isn't absolute.
func referencePath(reference string) string {
	switch {
	case strings.Contains(reference, "://"):
		return writtenPath(reference)
	case strings.HasPrefix(reference, "//"):
		return writtenPath("http:" + reference)
	case strings.HasPrefix(reference, "/"):
		return writtenPath("http://x" + reference)
	}
	return ""
}
