package cache

import (
	"net/http"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// fillHeader returns the header section that a fill sends: the client's without what concerns only its own use of the
// response, and with the validators of the stored response that is to be validated, RFC 9111 §4.3.1.
func fillHeader(client http.Header, stored *Response) http.Header {
	h := client.Clone()
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "If-Range", "Range"} {
		delete(h, name)
	}
	if stored == nil {
		return h
	}
	if stored.etag.Opaque != "" {
		h["If-None-Match"] = []string{stored.etag.String()}
	}
	if value, ok := singular(stored.fields, "Last-Modified"); ok && !stored.lastModified.IsZero() {
		h["If-Modified-Since"] = []string{value}
	}
	return h
}

// confirms tells whether a 304 is about the stored response, RFC 9111 §4.3.4. We ask about one response at a time, so
// that a 304 without a validator can only mean that one.
func confirms(r *received, stored *Response) bool {
	if value, ok := singular(r.fields, "Etag"); ok {
		e, valid := httpfield.ParseETag(value)
		if !valid || stored.etag.Opaque == "" {
			return false
		}
		if !e.Weak && !stored.etag.Weak {
			return e.StrongEqual(stored.etag)
		}
		return e.WeakEqual(stored.etag)
	}
	if value, ok := singular(r.fields, "Last-Modified"); ok && !stored.lastModified.IsZero() {
		t, valid := httpfield.ParseDate(value, r.at)
		return valid && t.Equal(stored.lastModified)
	}
	return true
}

// sameRepresentation tells whether the response to a HEAD may freshen the stored response to a GET, RFC 9111 §4.3.5:
// no validator says otherwise, and the length, if given, is the same.
func sameRepresentation(r *received, stored *Response) bool {
	if value, ok := singular(r.fields, "Etag"); ok {
		if e, _ := httpfield.ParseETag(value); !e.WeakEqual(stored.etag) || e.Weak != stored.etag.Weak {
			return false
		}
	}
	if value, ok := singular(r.fields, "Last-Modified"); ok {
		if t, valid := httpfield.ParseDate(value, r.at); !valid || !t.Equal(stored.lastModified) {
			return false
		}
	}
	if value, ok := singular(r.fields, "Content-Length"); ok {
		n, valid := httpfield.ParseDelta(value)
		return !valid || n == min(stored.length, httpfield.MaxDelta)
	}
	return true
}

// updatedFields is the header section of a stored response after another one has updated it, RFC 9111 §3.2: a field of
// the new one replaces that of the old, except where it describes the stored content.
func updatedFields(stored *Response, h http.Header) http.Header {
	merged := stored.fields.header()
	keep := storedFields(h)
	for name, lines := range h {
		if keep(name) && name != "Content-Encoding" && name != "Content-Range" {
			merged[name] = lines
		}
	}
	return merged
}
