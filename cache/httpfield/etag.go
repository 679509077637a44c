package httpfield

import "strings"

// ETag is an entity tag, RFC 9110 §8.8.3. The zero value is none, and equal to nothing.
type ETag struct {
	Weak   bool
	Opaque string // with its quotes
}

// ParseETag parses exactly one entity tag.
func ParseETag(s string) (ETag, bool) {
	e, rest, ok := cutETag(s)
	return e, ok && rest == ""
}

// StrongEqual compares as RFC 9110 §8.8.3.2 says for ranges: both are strong and the same.
func (e ETag) StrongEqual(o ETag) bool {
	return !e.Weak && !o.Weak && e.WeakEqual(o)
}

// WeakEqual compares as RFC 9110 §8.8.3.2 says for If-None-Match: the same, weak or not.
func (e ETag) WeakEqual(o ETag) bool { return e.Opaque != "" && e.Opaque == o.Opaque }

// String returns the tag as it stands in a field; empty for none.
func (e ETag) String() string {
	if e.Weak {
		return "W/" + e.Opaque
	}
	return e.Opaque
}

// ListMatches tells whether a line of If-None-Match holds e, compared weakly, or is "*". A malformed line matches up
// to its first mistake.
func ListMatches(line string, e ETag) bool {
	if TrimOWS(line) == "*" {
		return true
	}
	for tag, rest := NextETag(line); tag.Opaque != ""; tag, rest = NextETag(rest) {
		if tag.WeakEqual(e) {
			return true
		}
	}
	return false
}

// NextETag splits off the first entity tag of a list. It is none at the list's end, and at its first mistake.
func NextETag(list string) (e ETag, rest string) {
	e, rest, ok := cutETag(strings.TrimLeft(list, " \t,"))
	rest = strings.TrimLeft(rest, " \t")
	if !ok || rest != "" && rest[0] != ',' {
		return ETag{}, ""
	}
	return e, rest
}

// cutETag parses the tag that s begins with. An entity tag knows no escapes, so it isn't a quoted string.
func cutETag(s string) (e ETag, rest string, ok bool) {
	if strings.HasPrefix(s, "W/") {
		e.Weak, s = true, s[2:]
	}
	if s == "" || s[0] != '"' {
		return ETag{}, "", false
	}
	for i := 1; i < len(s); i++ {
		if s[i] == '"' {
			e.Opaque = s[:i+1]
			return e, s[i+1:], true
		}
		if s[i] < 0x21 || s[i] == 0x7f {
			break
		}
	}
	return ETag{}, "", false
}
