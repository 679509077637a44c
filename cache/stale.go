package cache

import (
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// forbidsStale tells whether a directive keeps a shared cache from using the response stale, RFC 9111 §4.2.4.
func forbidsStale(c *httpfield.CacheControl) bool {
	return c.Is(httpfield.MustRevalidate | httpfield.ProxyRevalidate | httpfield.NoCache | httpfield.SMaxAge)
}

// staleLimits returns how long beyond its lifetime a response may be used, RFC 5861. The origin's own directives count
// before the policy's. s-maxage alone forbids stale use as proxy-revalidate does; where the origin sends it beside a
// directive of RFC 5861, the latter is what it means.
func staleLimits(c *httpfield.CacheControl, p Policy) (whileRevalidate, ifError time.Duration) {
	if c.Is(httpfield.MustRevalidate | httpfield.ProxyRevalidate | httpfield.NoCache) {
		return 0, 0
	}
	if !c.Is(httpfield.SMaxAge) {
		whileRevalidate, ifError = p.StaleWhileRevalidate, p.StaleIfError
	}
	if c.Is(httpfield.StaleWhileRevalidate) {
		whileRevalidate = seconds(c.StaleWhileRevalidate)
	}
	if c.Is(httpfield.StaleIfError) {
		ifError = seconds(c.StaleIfError)
	}
	return whileRevalidate, ifError
}

// reuseStale decides over a stale response; beyond is how long it has been stale. A client that limits age or asks for
// freshness doesn't want it stale, unless it says how much.
func reuseStale(p Preset, q *request, f *figures, beyond time.Duration) (verdict, Fwd) {
	c := &q.control
	switch {
	case c.Is(httpfield.NoCache|httpfield.MinFresh) || withholds(p, q, f):
		return verdictValidate, FwdStale
	case c.Is(httpfield.MaxStale) && !f.noStale && beyond <= seconds(c.MaxStale):
		return verdictStale, ""
	case !c.Is(httpfield.MaxAge) && beyond < f.whileRevalidate:
		return verdictBehind, ""
	}
	return verdictValidate, FwdStale
}

// disconnectedLimit is how long beyond its lifetime a response may answer while the origin can't be reached at all, where
// neither the response nor the policy says.
const disconnectedLimit = 24 * time.Hour

// usableOnError tells whether a stored response may answer because the origin failed, RFC 5861 §4. The request's own
// stale-if-error counts where no directive of the response forbids stale use. disconnected tells that the origin didn't
// answer at all: RFC 9111 §4.2.4 lets a response be used then that nothing forbids to be used stale, unless the client
// wants it fresh. What lets it be used is the result, empty when nothing does.
func usableOnError(p Preset, q *request, f *figures, disconnected bool, now time.Time) (detail string) {
	c, limit, beyond := &q.control, f.ifError, f.age(now)-f.lifetime
	if c.Is(httpfield.StaleIfError) && !f.noStale {
		limit = max(limit, seconds(c.StaleIfError))
	}
	switch {
	case withholds(p, q, f):
		return ""
	case limit > 0 && beyond < limit:
		return "stale-if-error"
	case !disconnected || f.noStale || f.limited || c.Is(httpfield.NoCache|httpfield.MaxAge|httpfield.MinFresh):
		return ""
	case beyond < disconnectedLimit:
		return "disconnected"
	}
	return ""
}

// isServerError tells which statuses count as an origin that failed, RFC 5861 §4.
func isServerError(status int) bool {
	switch status {
	case 500, 502, 503, 504:
		return true
	}
	return false
}
