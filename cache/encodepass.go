package cache

import (
	"net/http"
	"slices"
	"strings"

	"github.com/anyedge/anyedge/cache/encoding"
	"github.com/anyedge/anyedge/cache/httpfield"
)

// codingOfPassing chooses the coding for a response that isn't stored, and makes h, a copy of its fields, fit it. Who
// has written the content calls unrepresent.
func (x *exchange) codingOfPassing(response *http.Response, h http.Header) encoding.Coding {
	k := x.coder
	if k == nil {
		return encoding.Identity
	}
	if response.StatusCode == http.StatusNotModified {
		x.confirmEncoded(h)
		return encoding.Identity
	}
	fields := header(response.Header)
	why := k.unfit(response.StatusCode, fields, response.ContentLength)
	if why == "" && x.preset == Safe && personal(header(x.r.Header), fields) {
		why = skipPersonal
	}
	if why != "" || digestIn(trailerNames(response.Trailer)) {
		x.c.figures.encoding.skipped(why)
		return encoding.Identity
	}
	varyByCoding(h)
	coding := k.choose(header(x.r.Header)).Coding
	if coding == encoding.Identity || forbidsTransform(x.r.Header) || x.r.Method != http.MethodHead && !x.takeStream() {
		return encoding.Identity
	}
	tag, _ := etagOf(fields)
	describeEncoded(h, suffixed(tag, coding), coding)
	return coding
}

// forbidsTransform tells whether a client asks that nothing is made of the content, RFC 9111 §5.2.1.6.
func forbidsTransform(h http.Header) bool {
	control := parseControl(header(h))
	return control.Is(httpfield.NoTransform)
}

// confirmEncoded makes a 304 of the origin, which is about the content as it is, one about the encoded form that the client
// asked about, RFC 9110 §15.4.5.
func (x *exchange) confirmEncoded(h http.Header) {
	tag, ok := etagOf(header(h))
	form := suffixed(tag, x.coder.choose(header(x.r.Header)).Coding)
	if !ok || tag.Weak || form == tag {
		return
	}
	for tags, rest := httpfield.NextETag(joined(header(x.r.Header), "If-None-Match")); tags.Opaque != ""; tags, rest = httpfield.NextETag(rest) {
		if tags == form {
			h["Etag"] = []string{form.String()}
			varyByCoding(h)
			return
		}
	}
}

// originConditions returns a request's fields as they go to the origin. It doesn't know the entity tags of encoded forms:
// those that they were made of are asked for as well. A change depends on any of them; a content is still the same for the
// client only in the coding that it would get now.
func (k *coder) originConditions(h http.Header) http.Header {
	if k == nil {
		return h
	}
	h = k.addOriginals(h, "If-Match", k.chooser.Offer())
	return k.addOriginals(h, "If-None-Match", encoding.SetOf(k.choose(header(h)).Coding))
}

// addOriginals returns fields in which a list of entity tags holds those as well that forms in these codings were made of.
func (k *coder) addOriginals(h http.Header, name string, codings encoding.Set) http.Header {
	if len(h[name]) == 0 {
		return h
	}
	list := joined(header(h), name)
	var more []string
	for tag, rest := httpfield.NextETag(list); tag.Opaque != ""; tag, rest = httpfield.NextETag(rest) {
		for c := range encoding.Coding(encoding.Count) {
			if original, ok := unsuffixed(tag, c); ok && codings.Has(c) && !slices.Contains(more, original.String()) {
				more = append(more, original.String())
			}
		}
	}
	if len(more) == 0 {
		return h
	}
	h = h.Clone()
	h[name] = []string{list + ", " + strings.Join(more, ", ")}
	return h
}
