package cache

import (
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// forOrigin tells whether a request has preconditions that a cache doesn't evaluate: they protect a state that only the
// origin knows, RFC 9111 §4.3.2.
func forOrigin(f FieldReader) bool {
	return has(f, "If-Match") || has(f, "If-Unmodified-Since")
}

// conditional tells whether a request has preconditions that a cache evaluates.
func conditional(f FieldReader) bool { return has(f, "If-None-Match") || has(f, "If-Modified-Since") }

// passesConditions tells whether a request goes to the origin with its preconditions, as what that answers isn't stored, so
// that the content needn't come for nothing.
func (x *exchange) passesConditions() bool {
	return conditional(x.query.fields) && x.c.marks.has(x.hash, x.looked)
}

// notModified evaluates a client's preconditions against a stored response, RFC 9110 §13.2.2 and RFC 9111 §4.3.2.
// If-None-Match counts before If-Modified-Since, and only where the answer would be a success.
func notModified(s *Response, f FieldReader, now time.Time) bool {
	if s.status < 200 || s.status > 299 {
		return false
	}
	if has(f, "If-None-Match") {
		return matchesAny(s, f)
	}
	value, ok := singular(f, "If-Modified-Since")
	if !ok {
		return false
	}
	since, ok := httpfield.ParseDate(value, now)
	return ok && !modifiedTime(s).After(since)
}

func matchesAny(s *Response, f FieldReader) bool {
	for i := 0; ; i++ {
		line, ok := f.Line("If-None-Match", i)
		if !ok {
			return false
		}
		if httpfield.ListMatches(line, s.etag) {
			return true
		}
	}
}

// modifiedTime is when the content was modified, as far as we know.
func modifiedTime(s *Response) time.Time {
	if s.lastModified == 0 {
		return s.date.time()
	}
	return s.lastModified.time()
}

// strongDateGap is how much older than its Date a Last-Modified must be to be a strong validator, RFC 9110 §8.8.2.2.
const strongDateGap = time.Minute

// rangeApplies evaluates If-Range, RFC 9110 §13.1.5: only a strong validator that is the same lets a range be sent.
func rangeApplies(s *Response, f FieldReader, now time.Time) bool {
	if !has(f, "If-Range") {
		return true
	}
	value, ok := singular(f, "If-Range")
	if !ok {
		return false
	}
	if e, ok := httpfield.ParseETag(value); ok {
		return e.StrongEqual(s.etag)
	}
	t, ok := httpfield.ParseDate(value, now)
	return ok && momentOf(t) == s.lastModified && s.date.sub(s.lastModified) >= strongDateGap
}
