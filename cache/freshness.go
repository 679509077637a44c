package cache

import (
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

const (
	// heuristicFraction of the time since the last modification is a typical lifetime, RFC 9111 §4.2.2.
	heuristicFraction = 10
	// heuristicMax bounds a lifetime that nobody gave.
	heuristicMax = 24 * time.Hour
)

// lifetime is the freshness lifetime of a response in a shared cache: what the path's configuration assigns, counted from
// when it came, else, RFC 9111 §4.2.1, the first of s-maxage, max-age, Expires and a guess that applies. What is malformed
// makes it stale: 0.
func lifetime(r *received) time.Duration {
	switch c := &r.control; {
	case r.assigned:
		return clamp(initialAge(r) + r.ttl)
	case c.Is(httpfield.SMaxAge):
		return seconds(c.SMaxAge)
	case c.Is(httpfield.MaxAge):
		return seconds(c.MaxAge)
	case !r.targeted && has(r.fields, "Expires"):
		return expires(r)
	case heuristicallyCacheable(r.status) || c.Is(httpfield.Public):
		return heuristic(r)
	}
	return 0
}

// expires is the lifetime that Expires gives, RFC 9111 §5.3; several values that differ are as good as none.
func expires(r *received) time.Duration {
	value, ok := singular(r.fields, "Expires")
	if !ok {
		return 0
	}
	t, ok := httpfield.ParseDate(value, r.at)
	if !ok {
		return 0
	}
	return clamp(t.Sub(r.date))
}

// heuristic guesses a lifetime from how long the content has not changed, RFC 9111 §4.2.2.
func heuristic(r *received) time.Duration {
	value, ok := singular(r.fields, "Last-Modified")
	if !ok {
		return 0
	}
	t, ok := httpfield.ParseDate(value, r.at)
	if !ok {
		return 0
	}
	return min(max(r.date.Sub(t)/heuristicFraction, 0), heuristicMax)
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// clamp keeps a duration between 0 and what delta-seconds can say.
func clamp(d time.Duration) time.Duration {
	return min(max(d, 0), seconds(httpfield.MaxDelta))
}
