package cache

import (
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// figures are what decides over the reuse of a stored response. Unlike the fields that they come from, they are ready
// to compute with.
type figures struct {
	received   time.Time
	initialAge time.Duration // when it was received
	lifetime   time.Duration
	// whileRevalidate and ifError are how long it may be used beyond its lifetime, RFC 5861, 0 for never.
	whileRevalidate, ifError time.Duration
	// limited: ifError is what the response or the policy says, also when it is 0.
	limited bool
	// noCache: validated before every use, RFC 9111 §5.2.2.4.
	noCache bool
	// noStale: never used stale because a client would have it so, RFC 9111 §4.2.4.
	noStale bool
	// shared: usable for requests with credentials as RFC 9111 §3.5 says for storing.
	shared bool
	// immutable: a client that reloads needn't be believed, RFC 8246.
	immutable bool
	// encodable: a client may get it in a content coding; vouched: its fields end with varyLine.
	encodable, vouched bool
}

func newFigures(r *received, p Policy) figures {
	c := &r.control
	f := figures{
		received: r.at, initialAge: initialAge(r), lifetime: lifetime(r),
		noCache: c.Is(httpfield.NoCache), noStale: forbidsStale(c),
		shared: c.Is(sharedWithCredentials), immutable: c.Is(httpfield.Immutable),
	}
	f.whileRevalidate, f.ifError = staleLimits(c, p)
	f.limited = c.Is(httpfield.StaleIfError) || p.StaleIfError > 0
	return f
}

// age is the current age, RFC 9111 §4.2.3.
func (f *figures) age(now time.Time) time.Duration {
	return f.initialAge + max(now.Sub(f.received), 0)
}

// verdict is what may be done with a stored response.
type verdict uint8

const (
	// verdictValidate: ask the origin first.
	verdictValidate verdict = iota
	// verdictFresh: use it.
	verdictFresh
	// verdictStale: use it although it is stale, as the client wishes.
	verdictStale
	// verdictBehind: use it although it is stale, and validate it behind the client's back.
	verdictBehind
)

// reuse decides what a request gets of a stored response that matches it, RFC 9111 §4 and §5.2.1; fwd says why it
// must be validated. soft tells that it was purged softly, which makes it stale.
func reuse(p Preset, q *request, f *figures, soft bool, now time.Time) (v verdict, fwd Fwd) {
	age := f.age(now)
	beyond := age - f.lifetime // fresh while below 0, RFC 9111 §4.2
	if soft {
		beyond = max(beyond, 0)
	}
	switch c := &q.control; {
	case f.noCache:
		return verdictValidate, FwdStale
	case beyond >= 0:
		return reuseStale(p, q, f, beyond)
	case c.Is(httpfield.NoCache) || withholds(p, q, f):
		return verdictValidate, FwdRequest
	case c.Is(httpfield.MaxAge) && age > seconds(c.MaxAge) && !f.immutable:
		return reuseOlder(c, f, age)
	case c.Is(httpfield.MinFresh) && -beyond < seconds(c.MinFresh):
		return verdictValidate, FwdRequest
	}
	return verdictFresh, ""
}

// withholds tells whether credentials keep the preset Safe from using a response that RFC 9111 §3.5 wouldn't have let
// it store had the first request carried credentials as well: the origin may have an own answer for each user.
func withholds(p Preset, q *request, f *figures) bool {
	return p == Safe && q.authorized && !f.shared
}

// reuseOlder decides over a fresh response that is older than the client's max-age.
func reuseOlder(c *httpfield.CacheControl, f *figures, age time.Duration) (verdict, Fwd) {
	if c.Is(httpfield.MaxStale) && !f.noStale && age-seconds(c.MaxAge) <= seconds(c.MaxStale) {
		return verdictStale, ""
	}
	return verdictValidate, FwdRequest
}
