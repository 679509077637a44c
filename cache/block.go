package cache

import (
	"iter"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// block is a pre-serialised header or trailer section: lines of "Name: value\r\n", names in canonical form and in
// order. An H1 loop may write it as it is; it holds nothing that belongs to one connection or one use.
type block string

// fields walks over the field lines.
func (b block) fields() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for rest := string(b); rest != ""; {
			line, after, _ := strings.Cut(rest, "\r\n")
			name, value, _ := strings.Cut(line, ": ")
			if !yield(name, value) {
				return
			}
			rest = after
		}
	}
}

// Line makes a block a FieldReader.
func (b block) Line(name string, i int) (string, bool) {
	for n, value := range b.fields() {
		if n == name {
			if i == 0 {
				return value, true
			}
			i--
		}
	}
	return "", false
}

// newBlock serialises the fields that keep lets through.
func newBlock(h http.Header, keep func(name string) bool) block {
	if len(h) == 0 {
		return ""
	}
	var room [32]string
	names := room[:0]
	for name := range h {
		if keep(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	b.Grow(sizeOf(h, names)) // exactly: what is stored stays
	for _, name := range names {
		for _, value := range h[name] {
			writeField(&b, name, value)
		}
	}
	return block(b.String())
}

// sizeOf is the size of these fields as a block.
func sizeOf(h http.Header, names []string) (n int) {
	for _, name := range names {
		for _, value := range h[name] {
			n += len(name) + len(": ") + len(value) + len("\r\n")
		}
	}
	return n
}

// lineBreaks are replaced rather than trusted to be absent, RFC 9110 §5.5.
var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")

func writeField(b *strings.Builder, name, value string) {
	b.WriteString(name)
	b.WriteString(": ")
	b.WriteString(lineBreaks.Replace(value))
	b.WriteString("\r\n")
}

// storedFields tells which fields of a response are stored: not those of the connection, RFC 9111 §3.1, not those that
// are made anew, and not those that private or no-cache set apart, §5.2.2.4 and §5.2.2.7.
func storedFields(h http.Header, except ...[]string) func(name string) bool {
	drop := nominatedFields(h)
	for _, names := range except {
		for _, name := range names {
			if drop == nil {
				drop = make(map[string]bool)
			}
			drop[textproto.CanonicalMIMEHeaderKey(name)] = true
		}
	}
	return func(name string) bool {
		return !isConnectionField(name) && !isOwnField(name) && !drop[name]
	}
}

// nominatedFields are the names in Connection; nil for none.
func nominatedFields(h http.Header) (names map[string]bool) {
	for _, line := range h["Connection"] {
		for name, rest := httpfield.Next(line); name != ""; name, rest = httpfield.Next(rest) {
			if names == nil {
				names = make(map[string]bool)
			}
			names[textproto.CanonicalMIMEHeaderKey(name)] = true
		}
	}
	return names
}

// header parses a block back into net/http's form.
func (b block) header() http.Header {
	h := make(http.Header)
	for name, value := range b.fields() {
		h[name] = append(h[name], value)
	}
	return h
}

// addTo adds the fields to a header section; one allocation holds all values.
func (b block) addTo(h http.Header) {
	values := make([]string, 0, strings.Count(string(b), "\r\n"))
	for name, value := range b.fields() {
		if present := h[name]; len(present) > 0 {
			h[name] = append(present, value)
			continue
		}
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
}
