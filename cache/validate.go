package cache

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// ofOwnUse are the fields of a request that concern only its client's own use of the response.
var ofOwnUse = [...]string{"If-None-Match", "If-Modified-Since", "If-Range", "Range"}

// fillHeader returns the header section that a fill sends: the client's without what concerns only its own use of the
// response, and with the validators of the stored response that is to be validated, RFC 9111 §4.3.1, or the entity tags
// of the variants that the request doesn't select, one of which may be what it gets. Mostly that is all that the client
// sent: then it is the client's own, and not to be changed.
func fillHeader(client http.Header, stored *Response, variants []*Response) (h http.Header, own bool) {
	if stored == nil && len(variants) == 0 && !hasAny(client, ofOwnUse[:]) {
		return client, false
	}
	h = cloned(client)
	for _, name := range ofOwnUse {
		delete(h, name)
	}
	addValidators(h, stored, variants)
	return h, true
}

// cloned are fields that may be changed, but for their lines.
func cloned(fields http.Header) http.Header {
	h := make(http.Header, len(fields)+1)
	maps.Copy(h, fields)
	return h
}

func hasAny(h http.Header, names []string) bool {
	for _, name := range names {
		if _, ok := h[name]; ok {
			return true
		}
	}
	return false
}

func addValidators(h http.Header, stored *Response, variants []*Response) {
	if stored == nil {
		if tags := etagList(variants); tags != "" {
			h["If-None-Match"] = []string{tags}
		}
		return
	}
	if stored.etag.Opaque != "" {
		h["If-None-Match"] = []string{stored.etag.String()}
	}
	if value, ok := singular(stored.fields, "Last-Modified"); ok && stored.lastModified != 0 {
		h["If-Modified-Since"] = []string{value}
	}
}

// takeFields makes f ask with its client's fields, in one form for all that may get the same.
func (f *fill) takeFields(stored *Response, variants []*Response) {
	f.request.Header, f.ownFields = fillHeader(f.client, stored, variants)
	if value := f.coder.asks(f.client); value != "" {
		f.setField(acceptEncoding, value)
	}
}

// setField gives f a field in place of its client's, whose fields stay as they are.
func (f *fill) setField(name, value string) {
	if lines := f.request.Header[name]; len(lines) == 1 && lines[0] == value {
		return
	}
	if !f.ownFields {
		f.request.Header, f.ownFields = cloned(f.request.Header), true
	}
	f.request.Header[name] = []string{value}
}

// etagList is a list of the responses' entity tags.
func etagList(list []*Response) string {
	var tags []string
	for _, r := range list {
		if r.etag.Opaque != "" && !slices.Contains(tags, r.etag.String()) {
			tags = append(tags, r.etag.String())
		}
	}
	return strings.Join(tags, ", ")
}

// etagOf is a response's entity tag; ok is false for none, or one that is malformed.
func etagOf(f FieldReader) (e httpfield.ETag, ok bool) {
	value, ok := singular(f, "Etag")
	if !ok {
		return e, false
	}
	return httpfield.ParseETag(value)
}

// selectedBy returns the variant that a 304 selects, the most recent of several, nil for none. Only an entity tag can
// tell which of them it means.
func selectedBy(r *received, variants []*Response) (selected *Response) {
	e, ok := etagOf(r.fields)
	if !ok {
		return nil
	}
	for _, v := range variants {
		if sameTag(e, v.etag) && (selected == nil || v.date > selected.date) {
			selected = v
		}
	}
	return selected
}

// sameTag compares strongly where both are strong, else weakly, RFC 9111 §4.3.4.
func sameTag(a, b httpfield.ETag) bool {
	if !a.Weak && !b.Weak {
		return a.StrongEqual(b)
	}
	return a.WeakEqual(b)
}

// confirms tells whether a 304 is about the stored response, RFC 9111 §4.3.4. We ask about one response at a time, so
// that a 304 without a validator can only mean that one.
func confirms(r *received, stored *Response) bool {
	if has(r.fields, "Etag") {
		e, valid := etagOf(r.fields)
		return valid && sameTag(e, stored.etag)
	}
	if value, ok := singular(r.fields, "Last-Modified"); ok && stored.lastModified != 0 {
		t, valid := httpfield.ParseDate(value, r.at)
		return valid && momentOf(t) == stored.lastModified
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
		if t, valid := httpfield.ParseDate(value, r.at); !valid || momentOf(t) != stored.lastModified {
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
	merged := stored.originFields().header()
	keep := storedFields(h)
	for name, lines := range h {
		if keep(name) && name != "Content-Encoding" && name != "Content-Range" {
			merged[name] = lines
		}
	}
	return merged
}
