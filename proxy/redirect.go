package proxy

import (
	"net"
	"net/http"
	"strconv"
)

// redirect sends the clients of a plain port to HTTPS, with the same target. 308 keeps the method and the content
// (RFC 9110 §15.4.9). It comes after chooseSite, so that only hosts of ours are named in a Location.
func (c *Chain) redirect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := exchangeFrom(r.Context())
		if ex.info.TLS || ex.info.Plain || ex.info.HTTPSPort == 0 || r.RequestURI == "*" {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Location", "https://"+httpsHost(ex.host, ex.info.HTTPSPort)+r.RequestURI)
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusPermanentRedirect)
	})
}

func httpsHost(host string, port uint16) string {
	if port == 443 {
		return host
	}
	if host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
