package proxy

import (
	"context"
	"net/http"
)

// earlyField tells an origin, and whoever is between, that a request may have been sent again by somebody else (RFC 8470,
// section 5.1).
const earlyField = "Early-Data"

// earlyData deals with requests that come before the client's handshake is complete (RFC 8470). Whoever recorded one can
// send it again, to this node or to any other of the fleet, and none of them can tell. So on a site with early data only
// what may run any number of times is answered at once; the origin is told, and may say 425 itself. Other requests are
// refused with 425, for the client to send them again. A site without early data waits for the handshake, which whoever
// has only recorded it can't complete.
func (c *Chain) earlyData(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := exchangeFrom(r.Context())
		if !ex.info.Early() {
			next.ServeHTTP(w, r)
			return
		}
		switch {
		case !ex.site.earlyData:
			c.options.Metrics.early(ex, earlyWaited)
			if !ex.info.AwaitHandshake(r.Context()) {
				c.fail(w, r, context.Cause(r.Context()))
				return
			}
		case !repeatable(r):
			c.options.Metrics.early(ex, earlyRefused)
			c.fail(w, r, refusal(http.StatusTooEarly, "early_data"))
			return
		default:
			c.options.Metrics.early(ex, earlyServed)
			r.Header[earlyField] = []string{"1"}
		}
		next.ServeHTTP(w, r)
	})
}

// repeatable reports whether r may run any number of times: it asks and changes nothing.
func repeatable(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.ContentLength == 0
}

// earlyOutcome is what became of a request in early data, for metrics.
type earlyOutcome string

const (
	earlyServed  earlyOutcome = "served"
	earlyRefused earlyOutcome = "refused"
	earlyWaited  earlyOutcome = "waited"
)
