package hitpath

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"time"
)

// Request is a GET or HEAD without content. It is valid until its answer is accounted for.
type Request struct {
	VIP      string
	Protocol string     // "h1", "h2" or "h3"
	Client   netip.Addr // where the connection comes from
	TLS      Security
	At       time.Time // when it was read
	Room     int64     // the largest content that can be sent, in octets

	Method string // GET or HEAD
	Target string // in origin form: /path?query, of visible ASCII characters without #
	Host   string // as written; not checked
	Fields []Field

	connection string // the value of Connection, over H1
}

// Security is what a connection's handshake has agreed on. The zero value is that of a connection without TLS.
type Security struct {
	Version uint16 // as in crypto/tls
	Curve   tls.CurveID
	ECH     bool // the client's hello was encrypted (RFC 9849)
}

// SecurityOf is what the handshake of a connection has agreed on.
func SecurityOf(s *tls.ConnectionState) Security {
	return Security{Version: s.Version, Curve: s.CurveID, ECH: s.ECHAccepted}
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
