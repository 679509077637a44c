package hitpath

import (
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/message"
)

// decode makes the request of a header section, RFC 9113 §8.3.1. It isn't ok unless it is one as browsers send them: what
// is wrong with others the server says.
func (r *Request) decode(list []hpack.HeaderField) bool {
	scheme, rest := "", list
	for len(rest) > 0 && strings.HasPrefix(rest[0].Name, ":") {
		f := rest[0]
		rest = rest[1:]
		var once *string
		switch f.Name {
		case ":method":
			once = &r.Method
		case ":scheme":
			once = &scheme
		case ":authority":
			once = &r.Host
		case ":path":
			once = &r.Target
		}
		if once == nil || *once != "" {
			return false
		}
		*once = f.Value
	}
	if r.Method != "GET" && r.Method != "HEAD" || scheme != "https" || r.Host == "" || !validTarget(r.Target) || len(rest) > maxFields {
		return false
	}
	return r.decodeFields(rest)
}

func (r *Request) decodeFields(list []hpack.HeaderField) bool {
	cookie := -1
	for _, f := range list {
		if !message.ValidName(f.Name) || !validValue(f.Value) || message.IsConnectionField(f) {
			return false
		}
		switch {
		case f.Name == "te": // it says trailers, which an answer without trailers meets
			continue
		case f.Name == "cookie" && cookie >= 0: // in parts, RFC 9113 §8.2.3
			r.Fields[cookie].Value += "; " + f.Value
			continue
		case f.Name == "cookie":
			cookie = len(r.Fields)
		}
		r.Fields = append(r.Fields, Field{f.Name, f.Value})
	}
	return true
}

// validValue tells whether a value has no control character but tab, and no white space around it.
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return s == "" || !isBlank(s[0]) && !isBlank(s[len(s)-1])
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
