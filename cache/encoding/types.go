package encoding

import "strings"

// Types says which media types are worth encoding. The zero value is none.
type Types struct {
	exact    map[string]bool
	prefixes []string // "text/"
	suffixes []string // "+json"
}

// NewTypes returns the media types of a list: whole ones, all of a type as text/*, or all of a structured syntax as *+json.
func NewTypes(list []string) Types {
	t := Types{exact: make(map[string]bool)}
	for _, pattern := range list {
		pattern = strings.ToLower(pattern)
		if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
			t.suffixes = append(t.suffixes, suffix)
		} else if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
			t.prefixes = append(t.prefixes, prefix)
		} else {
			t.exact[pattern] = true
		}
	}
	return t
}

// eventStream is never encoded: it lasts as long as its client, and would keep an encoder for all that time.
const eventStream = "text/event-stream"

// Has tells whether a Content-Type is of one of them; its parameters don't matter.
func (t Types) Has(contentType string) bool {
	name, _, _ := strings.Cut(contentType, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	if name == eventStream {
		return false
	}
	if t.exact[name] {
		return true
	}
	for _, prefix := range t.prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	for _, suffix := range t.suffixes {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// checkType says what is wrong with a pattern, empty when nothing is.
func checkType(pattern string) string {
	kind, rest, ok := strings.Cut(pattern, "/")
	switch {
	case strings.EqualFold(pattern, eventStream):
		return "is never encoded: it lasts as long as its client"
	case !ok && strings.HasPrefix(pattern, "*+") && isName(pattern[2:]):
		return ""
	case ok && isName(kind) && (rest == "*" || isName(rest)):
		return ""
	}
	return "is not a media type, TYPE/* or *+SUFFIX"
}

// isName tells whether s is a restricted name, RFC 6838 §4.2.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		isAlnum := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !isAlnum && (i == 0 || strings.IndexByte("!#$&-^_.+", c) < 0) {
			return false
		}
	}
	return s != ""
}
