package cache

import (
	"net/textproto"
	"slices"
	"strings"

	"github.com/anyedge/anyedge/cache/encoding"
	"github.com/anyedge/anyedge/cache/httpfield"
)

// varyField is one field that Vary nominates, with what it said in the request that brought the response,
// RFC 9111 §4.1.
type varyField struct {
	name    string
	value   string // in normal form
	first   string // the line as it came, when it was one: many clients send just the same
	present bool
}

// preferred tells whether a response goes before another that the request selects as well, RFC 9111 §4.1: one with Vary
// before one without, whose origin may have forgotten it, and else the more recent.
func preferred(r, other *Response) bool {
	if varies := len(r.vary) > 0; varies != (len(other.vary) > 0) {
		return varies
	}
	return r.date > other.date
}

// varyAny tells whether no request can be known to match: Vary holds "*", what isn't a field's name, or a field that the
// proxy writes itself on the way to the origin, with the client's address in it. The others that it writes depend on
// what the key holds.
func varyAny(f FieldReader) bool {
	for i := 0; ; i++ {
		line, ok := f.Line("Vary", i)
		if !ok {
			return false
		}
		for name, rest := httpfield.Next(line); name != ""; name, rest = httpfield.Next(rest) {
			if name == "*" || !httpfield.IsToken(name) || strings.EqualFold(name, "Forwarded") || strings.EqualFold(name, "X-Forwarded-For") {
				return true
			}
		}
	}
}

// newVary notes what the request said in the fields that the response's Vary nominates.
func newVary(response, request FieldReader) (fields []varyField) {
	for i := 0; ; i++ {
		line, ok := response.Line("Vary", i)
		if !ok {
			slices.SortFunc(fields, func(a, b varyField) int { return strings.Compare(a.name, b.name) })
			return slices.CompactFunc(fields, func(a, b varyField) bool { return a.name == b.name })
		}
		for name, rest := httpfield.Next(line); name != ""; name, rest = httpfield.Next(rest) {
			fields = append(fields, newVaryField(textproto.CanonicalMIMEHeaderKey(name), request))
		}
	}
}

func newVaryField(name string, request FieldReader) varyField {
	v := varyField{name: name, present: has(request, name)}
	v.value = string(httpfield.AppendNormal(nil, name, joined(request, name)))
	if _, more := request.Line(name, 1); !more {
		line, _ := request.Line(name, 0)
		v.first = strings.Clone(line) // which may be a part of the whole header section
	}
	return v
}

// selects tells whether a request says the same in all nominated fields.
func selects(fields []varyField, request FieldReader) bool {
	for i := range fields {
		if !fields[i].selects(request) {
			return false
		}
	}
	return true
}

func (v *varyField) selects(request FieldReader) bool {
	line, present := request.Line(v.name, 0)
	if present && v.present {
		if _, more := request.Line(v.name, 1); more {
			line = joined(request, v.name)
		} else if line == v.first || line == v.value {
			return true
		}
	}
	if !present || !v.present {
		return present == v.present
	}
	if accepted, of, ok := v.codings(); ok {
		var a encoding.Accept
		a.Add(line)
		return a.Among(of) == accepted
	}
	var buf [256]byte
	return string(httpfield.AppendNormal(buf[:0], v.name, line)) == v.value
}

func sameVary(a, b []varyField) bool {
	return slices.EqualFunc(a, b, func(a, b varyField) bool {
		return a.name == b.name && a.present == b.present && a.value == b.value
	})
}

func sameVaryNames(a, b []varyField) bool {
	return slices.EqualFunc(a, b, func(a, b varyField) bool { return a.name == b.name })
}
