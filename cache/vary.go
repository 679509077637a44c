package cache

import (
	"net/textproto"
	"slices"
	"strings"

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

// varyAny tells whether Vary holds "*", so that no request matches.
func varyAny(f FieldReader) bool {
	for i := 0; ; i++ {
		line, ok := f.Line("Vary", i)
		if !ok {
			return false
		}
		for name, rest := httpfield.Next(line); name != ""; name, rest = httpfield.Next(rest) {
			if name == "*" {
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
	v.value = string(appendSelecting(nil, name, request))
	if _, more := request.Line(name, 1); !more {
		v.first, _ = request.Line(name, 0)
	}
	return v
}

// appendSelecting appends a request's field in its normal form, its lines joined.
func appendSelecting(dst []byte, name string, f FieldReader) []byte {
	for i := 0; ; i++ {
		line, ok := f.Line(name, i)
		if !ok {
			return dst
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = httpfield.AppendNormal(dst, name, line)
	}
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
	if !present || !v.present {
		return present == v.present
	}
	if _, more := request.Line(v.name, 1); !more && (line == v.first || line == v.value) {
		return true
	}
	var buf [256]byte
	return string(appendSelecting(buf[:0], v.name, request)) == v.value
}

func sameVary(a, b []varyField) bool {
	return slices.EqualFunc(a, b, func(a, b varyField) bool {
		return a.name == b.name && a.present == b.present && a.value == b.value
	})
}
