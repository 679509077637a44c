package cache

import (
	"github.com/anyedge/anyedge/cache/httpfield"
)

// validator is a strong one, RFC 9110 §8.8.1: what tells that parts belong to the same content, byte for byte.
type validator struct {
	etag     httpfield.ETag // or, where there is none:
	modified string         // Last-Modified, as it came
}

// strongValidator returns the response's. A modification date is strong when it is so much older than the response that
// the content can't have changed twice since, RFC 9110 §8.8.2.2; where there is an entity tag, that alone counts.
func strongValidator(r *received) (v validator, ok bool) {
	if has(r.fields, "Etag") {
		v.etag, ok = etagOf(r.fields)
		return v, ok && !v.etag.Weak
	}
	v.modified, ok = singular(r.fields, "Last-Modified")
	if !ok {
		return v, false
	}
	t, ok := httpfield.ParseDate(v.modified, r.at)
	return v, ok && r.dated && r.date.Sub(t) >= strongDateGap
}

// String is the validator as If-Range has it.
func (v *validator) String() string {
	if v.etag.Opaque != "" {
		return v.etag.String()
	}
	return v.modified
}

// matches tells whether a response has the same one.
func (v *validator) matches(f FieldReader) bool {
	if v.etag.Opaque != "" {
		e, ok := etagOf(f)
		return ok && e.StrongEqual(v.etag)
	}
	value, ok := singular(f, "Last-Modified")
	return ok && value == v.modified
}
