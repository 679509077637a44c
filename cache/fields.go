package cache

import (
	"net/http"
	"net/textproto"
	"strings"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// FieldReader reads the header section of a message. Any server loop can fulfil it over its own form of a header
// section; it is only read during a call, never kept.
type FieldReader interface {
	// Line returns the i-th field line of that name, counted from 0, or false where there is none. The name is in
	// canonical form, Like-This. Lines of one name keep their order.
	Line(name string, i int) (line string, ok bool)
}

// header reads net/http's form of a header section.
type header http.Header

func (h header) Line(name string, i int) (string, bool) {
	if lines := h[name]; i < len(lines) {
		return lines[i], true
	}
	return "", false
}

func has(f FieldReader, name string) bool {
	_, ok := f.Line(name, 0)
	return ok
}

// joined is the value of a list field: its lines, joined by commas, RFC 9110 §5.2.
func joined(f FieldReader, name string) string {
	value, _ := f.Line(name, 0)
	for i := 1; ; i++ {
		line, ok := f.Line(name, i)
		if !ok {
			return value
		}
		value += ", " + line
	}
}

// singular is the value of a field that may not repeat. ok is false when there is none, or when there are several that
// differ.
func singular(f FieldReader, name string) (value string, ok bool) {
	value, ok = f.Line(name, 0)
	for i := 1; ok; i++ {
		line, more := f.Line(name, i)
		if !more {
			return httpfield.TrimOWS(value), true
		}
		ok = httpfield.TrimOWS(line) == httpfield.TrimOWS(value)
	}
	return "", false
}

// parseControl parses all lines of Cache-Control.
func parseControl(f FieldReader) (c httpfield.CacheControl) {
	for i := 0; ; i++ {
		line, ok := f.Line("Cache-Control", i)
		if !ok {
			return c
		}
		c.Add(line)
	}
}

// isConnectionField tells whether a field belongs to one connection: it is never stored, RFC 9111 §3.1. Those that
// Connection nominates come on top.
func isConnectionField(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization":
		return true
	}
	return false
}

// isOwnField tells whether a field's value is made anew for each use of a stored response, or meant for us alone.
func isOwnField(name string) bool {
	return name == "Age" || name == "Content-Length" || isSurrogateField(name)
}

// canonical returns names of fields in canonical form.
func canonical(names []string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = textproto.CanonicalMIMEHeaderKey(name)
	}
	return list
}

// isSurrogateField tells whether a field goes no further than to us: tags, and directives for surrogates.
func isSurrogateField(name string) bool {
	return name == "Surrogate-Key" || name == "Cache-Tag" || name == "Surrogate-Control"
}

// tagsOf returns the response's tags: Surrogate-Key is separated by spaces, Cache-Tag by commas.
func tagsOf(h http.Header) (tags []string) {
	for _, line := range h["Surrogate-Key"] {
		tags = append(tags, strings.Fields(line)...)
	}
	for _, line := range h["Cache-Tag"] {
		for tag, rest := httpfield.Next(line); tag != ""; tag, rest = httpfield.Next(rest) {
			tags = append(tags, tag)
		}
	}
	return tags
}
