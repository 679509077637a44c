package cache

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// Reason is why a response was not stored; empty when it was. Cache-Status tells it as its detail.
type Reason string

// The reasons.
const (
	ReasonStatus        Reason = "status"
	ReasonPartial       Reason = "partial"
	ReasonNoStore       Reason = "no-store"
	ReasonPrivate       Reason = "private"
	ReasonAuthorization Reason = "authorization"
	ReasonVary          Reason = "vary"
	ReasonSetCookie     Reason = "set-cookie"
	ReasonUnkeyed       Reason = "unkeyed"      // the request had a field that may change the answer and isn't in the key
	ReasonDeception     Reason = "deception"    // a page or data under a path that ends like a file
	ReasonPolicy        Reason = "policy"       // the path's configuration gives it no time
	ReasonNotExplicit   Reason = "not-explicit" // the status isn't cacheable by itself, and nothing says it may be stored
	ReasonUseless       Reason = "useless"      // stale at once, and nothing to validate it with
	ReasonTooLarge      Reason = "too-large"
	ReasonNoRoom        Reason = "no-room" // the memory for fills is in use
	ReasonPurged        Reason = "purged"  // invalidated or replaced while it came
)

// received is a response as the rules see it.
type received struct {
	status  int
	fields  FieldReader
	control httpfield.CacheControl // what applies to us, see controlOf
	// targeted is set when control is a targeted field's, so that Expires doesn't count.
	targeted bool
	// requested and at are when the request left and the response's header section came.
	requested, at time.Time
	date          time.Time // as Date says, or else at
	dated         bool      // Date says so
	// ttl is the lifetime that the path's configuration gives it, from at on, when assigned.
	ttl      time.Duration
	assigned bool
}

func newReceived(targeted []string, status int, f FieldReader, requested, at time.Time) *received {
	r := new(received)
	r.read(targeted, status, f, requested, at)
	r.readDate()
	return r
}

// read makes r what came, but for its date, which what isn't stored needs not.
func (r *received) read(targeted []string, status int, f FieldReader, requested, at time.Time) {
	*r = received{status: status, fields: f, requested: requested, at: at, date: at}
	r.control, r.targeted = controlOf(targeted, f)
}

func (r *received) readDate() {
	if value, ok := singular(r.fields, "Date"); ok {
		if t, ok := httpfield.ParseDate(value, r.at); ok {
			r.date, r.dated = t, true
		}
	}
}

// controlOf returns the directives for us: the first valid targeted field's instead of Cache-Control's, RFC 9213 §2.2.
func controlOf(targeted []string, f FieldReader) (c httpfield.CacheControl, isTargeted bool) {
	for _, name := range targeted {
		if !has(f, name) {
			continue
		}
		parse := httpfield.ParseTargeted
		if name == "Surrogate-Control" {
			parse = httpfield.ParseSurrogate
		}
		if c, ok := parse(joined(f, name)); ok {
			return c, true
		}
	}
	return parseControl(f), false
}

// storable decides whether the response to a request is stored: whether a shared cache may, and the preset lets it.
func (t *target) storable(p Preset, r *received) Reason {
	if reason := storable(&t.query, r); reason != "" || p != Safe {
		return reason
	}
	return guarded(t.key, t.policy, &t.query, r)
}

// storable decides whether a shared cache may store the response to a GET, RFC 9111 §3.
func storable(q *request, r *received) Reason {
	c := &r.control
	switch {
	case r.status < 200 || r.status == http.StatusNotModified || r.status == http.StatusTooEarly: // it is about when, not what
		return ReasonStatus
	case r.status == http.StatusPartialContent || has(r.fields, "Content-Range"):
		return ReasonPartial // §3.3: only slices, which know what they asked for, may be combined
	case c.Is(httpfield.MustUnderstand) && !understood(r.status):
		return ReasonStatus
	case c.Is(httpfield.NoStore) && !c.Is(httpfield.MustUnderstand): // §5.2.2.3 lets must-understand override
		return ReasonNoStore
	case q.control.Is(httpfield.NoStore): // §5.2.1.5
		return ReasonNoStore
	case c.Is(httpfield.Private):
		return ReasonPrivate
	case q.authorized && !c.Is(sharedWithCredentials):
		return ReasonAuthorization
	case varyAny(r.fields):
		return ReasonVary
	case r.assigned && r.ttl <= 0:
		return ReasonPolicy
	case !explicit(r) && !heuristicallyCacheable(r.status):
		return ReasonNotExplicit
	}
	return ""
}

// setsApart tells whether private or no-cache keep that field out of what is stored.
func setsApart(c *httpfield.CacheControl, name string) bool {
	is := func(n string) bool { return strings.EqualFold(n, name) }
	return slices.ContainsFunc(c.PrivateFields, is) || slices.ContainsFunc(c.NoCacheFields, is)
}

// sharedWithCredentials let a shared cache store the response to a request with credentials, RFC 9111 §3.5.
const sharedWithCredentials = httpfield.MustRevalidate | httpfield.Public | httpfield.SMaxAge

// explicit tells whether something says that the response may be stored, RFC 9111 §3, the last item.
func explicit(r *received) bool {
	return r.control.Is(httpfield.Public|httpfield.MaxAge|httpfield.SMaxAge) || r.assigned || !r.targeted && has(r.fields, "Expires")
}

// heuristicallyCacheable lists the final statuses that are cacheable unless something says otherwise, RFC 9110 §15.1.
func heuristicallyCacheable(status int) bool {
	switch status {
	case 200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// understood tells whether we know and obey what the status means for caching, RFC 9111 §3: those of RFC 9110, except
// 206 and 304, which are more than a response to store.
func understood(status int) bool {
	switch {
	case status >= 200 && status <= 205, status >= 300 && status <= 303, status == 307, status == 308:
		return true
	case status >= 400 && status <= 417, status == 421, status == 422, status == 426:
		return true
	case status >= 500 && status <= 505:
		return true
	}
	return false
}
