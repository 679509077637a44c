package cache

import (
	"net/http"
	"strings"
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

// appendRequestKey appends the key of a request's target URI. A path that isn't valid as it came is opaque: EscapedPath
// would make /a|b and /a%7Cb one key, though an origin may tell them apart.
func appendRequestKey(dst []byte, r *http.Request) []byte {
	u, path := r.URL, r.URL.Opaque
	if path == "" {
		path = u.EscapedPath()
	}
	return AppendKey(dst, schemeOf(r), authorityOf(r), path, u.RawQuery, u.RawQuery != "" || u.ForceQuery)
}

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
