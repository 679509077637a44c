package hitpath

import (
	"net/netip"
	"strings"
	"time"
)

// Request is a GET or HEAD without content. It is valid until its answer is accounted for.
type Request struct {
	VIP      string
	Protocol string     // "h1", "h2" or "h3"
	Client   netip.Addr // where the connection comes from
	TLS      uint16     // the version, as in crypto/tls
	At       time.Time  // when it was read
	Room     int64      // the largest content that can be sent, in octets

	Method string // GET or HEAD
	Target string // in origin form: /path?query, of visible ASCII characters without #
	Host   string // as written; not checked
	Fields []Field
}

// Field is one line of a header section; Host and Connection are not among them.
type Field struct {
	Name  string // a token, as written
	Value string // without white space around it
}

// Line fulfils cache.FieldReader.
func (r *Request) Line(name string, i int) (string, bool) {
	for _, f := range r.Fields {
		if len(f.Name) != len(name) || !strings.EqualFold(f.Name, name) {
			continue
		}
		if i == 0 {
			return f.Value, true
		}
		i--
	}
	return "", false
}
