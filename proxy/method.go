package proxy

import (
	"net/http"
	"strconv"
)

// allowed is the Allow field of our own answers. The origin may allow less.
const allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// checkMethod refuses what an edge has no business with: a tunnel to anywhere (CONNECT, 501; the extended one of
// WebSocket has a target URI and goes on), and TRACE (405), which would show a client the fields we add.
// It counts Max-Forwards down for OPTIONS (RFC 9110 §7.6.2).
func (c *Chain) checkMethod(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := exchangeFrom(r.Context())
		switch {
		case r.Method == http.MethodConnect && ex.protocol != webSocket:
			c.fail(w, r, refusal(http.StatusNotImplemented, "connect"))
		case r.Method == http.MethodTrace:
			w.Header().Set("Allow", allowed)
			c.fail(w, r, refusal(http.StatusMethodNotAllowed, "trace"))
		case r.Method == http.MethodOptions && !countForwards(r.Header):
			w.Header().Set("Allow", allowed)
			w.WriteHeader(http.StatusNoContent)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// countForwards reports whether the request may be forwarded once more. A value that is no number is left alone.
func countForwards(h http.Header) bool {
	v := h.Get("Max-Forwards")
	n, err := strconv.ParseUint(v, 10, 32)
	if v == "" || err != nil {
		return true
	}
	if n == 0 {
		return false
	}
	h.Set("Max-Forwards", strconv.FormatUint(n-1, 10))
	return true
}
