package proxy

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// readTarget reads the target URI (RFC 9110 §7.1) and makes it look the same to all that follows, whatever form and
// protocol it came in:
//
//	r.Host        in lower case, without the root's dot and without the scheme's own port
//	r.RequestURI  the target in origin form (or *), as the client wrote it, octet for octet
//	r.URL         the whole target URI, scheme and host included
//
// Userinfo and fragments have no place in a target; a request with a target or a host that can't be read is refused.
func (c *Chain) readTarget(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if reason := readTarget(exchangeFrom(r.Context()), r); reason != "" {
			c.fail(w, r, refusal(http.StatusBadRequest, reason))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// readTarget returns why r is refused, or "".
func readTarget(ex *exchange, r *http.Request) (reason string) {
	if !oneHost(r) {
		return "host_differs"
	}
	scheme := ex.scheme(r)
	host, port, ok := splitHost(r.Host)
	if !ok {
		return "host"
	}
	ex.host, r.Host = host, host
	if port != "" && port != defaultPort(scheme) {
		r.Host = host + ":" + port
	}
	target, ok := originForm(r)
	if !ok {
		return "target"
	}
	u, err := ex.targetURL(r, target)
	if err != nil {
		return "target"
	}
	if ex.path, ex.loose, ok = readPath(target); !ok {
		return "path"
	}
	u.Scheme, u.Host = scheme, r.Host
	r.RequestURI, r.URL = target, u
	return ""
}

// oneHost reports whether a Host field beside H2's and H3's :authority says the same (RFC 9113 §8.3.1).
// net/http has taken it out of the fields of H1.
func oneHost(r *http.Request) bool {
	hosts := r.Header["Host"]
	return len(hosts) == 0 || len(hosts) == 1 && strings.EqualFold(hosts[0], r.Host)
}

// originForm is the target as an origin server gets it (RFC 9112 §3.2): what follows the authority of an absolute one.
func originForm(r *http.Request) (string, bool) {
	target := r.RequestURI
	if scheme, rest, absolute := strings.Cut(target, "://"); absolute && !strings.HasPrefix(target, "/") {
		if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
			return "", false
		}
		target = "/"
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			target = rest[i:]
		} else if r.Method == http.MethodOptions {
			target = "*" // RFC 9112 §3.2.4
		}
		if target[0] == '?' {
			target = "/" + target
		}
	}
	switch {
	case target == "*":
		return target, r.Method == http.MethodOptions
	case strings.HasPrefix(target, "/"):
		return target, !strings.Contains(target, "#")
	}
	return "", false
}

// targetURL is that of r's target. The server has mostly parsed the same already.
func (ex *exchange) targetURL(r *http.Request, target string) (*url.URL, error) {
	if u := r.URL; target == r.RequestURI && u != nil && u.Scheme == "" && u.Host == "" && u.User == nil && u.Fragment == "" && u.RequestURI() == target {
		ex.url = *u
		return &ex.url, nil
	}
	return targetURL(target)
}

// targetURL is target as a URL whose RequestURI is target, octet for octet. url.URL would encode characters that
// RFC 3986 doesn't allow, as in /a|b, and origins may tell the two apart; then it is opaque.
func targetURL(target string) (*url.URL, error) {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	if u.RequestURI() == target {
		return u, nil
	}
	if strings.HasPrefix(target, "//") { // an opaque one can't begin so
		return nil, &url.Error{Op: "parse", URL: target, Err: url.InvalidHostError(target)}
	}
	u.Opaque, _, _ = strings.Cut(target, "?")
	return u, nil
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// splitHost splits an authority into its host in lower case, without the root's dot, and its port.
func splitHost(authority string) (host, port string, ok bool) {
	end := strings.LastIndexByte(authority, ':')
	if end < 0 || strings.HasSuffix(authority, "]") {
		end = len(authority)
	} else {
		port = authority[end+1:]
	}
	if port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "", "", false
		}
	}
	host = strings.TrimSuffix(authority[:end], ".")
	if !validHost(host) { // before others than ASCII letters could become such
		return "", "", false
	}
	return strings.ToLower(host), port, true // allocates only for upper case
}

// validHost reports whether host is a name of letters, digits, - and _, or an IP literal.
func validHost(host string) bool {
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		a, err := netip.ParseAddr(host[1 : len(host)-1])
		return err == nil && a.Is6() && a.Zone() == ""
	}
	if host == "" || len(host) > 253 || host[0] == '.' || strings.Contains(host, "..") {
		return false
	}
	for i := range len(host) {
		if b := host[i]; !alphanumeric(b) && b != '-' && b != '.' && b != '_' {
			return false
		}
	}
	return true
}
