package cache

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// AppendKey appends the cache key of a target URI, RFC 9111 §2: its scheme and authority in their normal form, RFC 9110
// §4.2.3, and path and query as they came, since only the origin knows which of them mean the same. GET and HEAD share
// a key. query is without its question mark; hasQuery tells an empty query from none.
func AppendKey(dst []byte, scheme, authority, path, query string, hasQuery bool) []byte {
	dst = append(dst, scheme...)
	dst = append(dst, "://"...)
	dst = appendAuthority(dst, scheme, authority)
	if path == "" {
		path = "/"
	}
	dst = append(dst, path...)
	if hasQuery {
		dst = append(dst, '?')
		dst = append(dst, query...)
	}
	return dst
}

// keyPart begins each part of a key behind the target URI; no URI holds it.
const keyPart = '\n'

// AppendKey appends the cache key of a request on a path with that policy: that of its target URI, without the query
// parameters that the policy leaves out, and behind it the cookies and fields that it names, a line for each.
func (p *Policy) AppendKey(dst []byte, scheme, authority, path, query string, hasQuery bool, f FieldReader) []byte {
	dst = p.appendURI(dst, scheme, authority, path, query, hasQuery)
	for _, name := range p.Headers {
		dst = appendHeaderPart(dst, http.CanonicalHeaderKey(name), f)
	}
	for _, name := range p.Cookies {
		dst = appendCookiePart(dst, name, f)
	}
	return dst
}

// appendURI appends the part of a key that names the resource.
func (p *Policy) appendURI(dst []byte, scheme, authority, path, query string, hasQuery bool) []byte {
	if p.Query.all() {
		return AppendKey(dst, scheme, authority, path, query, hasQuery)
	}
	dst = append(AppendKey(dst, scheme, authority, path, "", false), '?')
	n := len(dst)
	if dst = p.Query.appendQuery(dst, query); len(dst) == n {
		return dst[:n-1]
	}
	return dst
}

func appendHeaderPart(dst []byte, name string, f FieldReader) []byte {
	dst = append(append(dst, keyPart), "header "...)
	dst = append(dst, name...)
	line, ok := f.Line(name, 0)
	if !ok {
		return dst
	}
	if _, more := f.Line(name, 1); more {
		line = joined(f, name)
	}
	return httpfield.AppendNormal(append(dst, '='), name, line)
}

// appendCookiePart appends all cookies of that name: origins differ in which of several they take.
func appendCookiePart(dst []byte, name string, f FieldReader) []byte {
	dst = append(append(dst, keyPart), "cookie "...)
	dst = append(dst, name...)
	for i := 0; ; i++ {
		line, ok := f.Line("Cookie", i)
		if !ok {
			return dst
		}
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			if n, value, _ := strings.Cut(httpfield.TrimOWS(pair), "="); n == name {
				dst = append(append(dst, '='), value...)
			}
		}
	}
}

// appendAuthority appends it in lower case and without the scheme's default port.
func appendAuthority(dst []byte, scheme, authority string) []byte {
	authority = strings.TrimSuffix(authority, defaultPort(scheme))
	authority = strings.TrimSuffix(authority, ":")
	for i := range len(authority) {
		c := authority[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return ":443"
	}
	return ":80"
}

// appendRequestKey appends the key of a request.
func (p *Policy) appendRequestKey(dst []byte, r *http.Request) []byte {
	return p.AppendKey(dst, schemeOf(r), authorityOf(r), pathOf(r), r.URL.RawQuery, hasQuery(r.URL), header(r.Header))
}

// appendRequestURI appends the part of it that names the resource.
func (p *Policy) appendRequestURI(dst []byte, r *http.Request) []byte {
	return p.appendURI(dst, schemeOf(r), authorityOf(r), pathOf(r), r.URL.RawQuery, hasQuery(r.URL))
}

// pathOf is a request's path. One that isn't valid as it came is opaque: EscapedPath would make /a|b and /a%7Cb one key,
// though an origin may tell them apart.
func pathOf(r *http.Request) string {
	if r.URL.Opaque != "" {
		return r.URL.Opaque
	}
	return r.URL.EscapedPath()
}

func hasQuery(u *url.URL) bool { return u.RawQuery != "" || u.ForceQuery }

func schemeOf(r *http.Request) string {
	switch {
	case r.TLS != nil:
		return "https"
	case r.URL.Scheme != "":
		return strings.ToLower(r.URL.Scheme)
	}
	return "http"
}

func authorityOf(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}
