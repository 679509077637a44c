package listener

import (
	"crypto/rand"
	"crypto/tls"
	"log/slog"
	"net/http"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/admission"
	"github.com/anyedge/anyedge/proxy/hitpath"
)

// Config is what a Listener is made of.
type Config struct {
	VIP string // its name, for metrics, events and Info
	Options
	Limits admission.Options
	// TLS is the configuration of both TCP and QUIC, which take clones. Required with an HTTPS port.
	TLS     *tls.Config
	Handler http.Handler
	// TokenKey seals and opens QUIC's address-validation tokens (RFC 9000, section 8.1), which hold wherever the key is the
	// same; 32 octets, for the listener's life. Nil: a random one of the listener's.
	TokenKey []byte
	// Hits answers plain requests over TLS without the Handler; nil: nothing does.
	Hits       hitpath.Finder
	Gate       *Gate             // TCP connections of all listeners; nil: one of its own, of Limits.Connections
	Clients    *admission.Shares // connections of each client at all listeners; nil: of its own, of Limits.ClientConnections
	Handshakes *Handshakes       // QUIC handshakes of all listeners; nil: one of its own, of Limits
	Metrics    *Metrics          // shared by all listeners; nil: counted nowhere
	Journal    *health.Journal   // nil: none
	Log        *slog.Logger      // nil: none
	// Steering hands packets of others' QUIC connections to them; nil: quic-go reads the sockets itself.
	Steering Steering
	// Inherited are sockets of the process before this one; nil: there was none.
	Inherited *Inherited
	// Rescue hands segments of others' TCP connections to them; nil: the host resets them.
	Rescue Rescue
}

func (c *Config) setDefaults() {
	if c.Gate == nil {
		c.Gate = NewGate(c.Limits.Connections)
	}
	if c.Clients == nil {
		c.Clients = admission.NewShares(c.Limits.ClientConnections)
	}
	if c.Handshakes == nil {
		c.Handshakes = NewHandshakes(c.Limits.QUICHandshakes, c.Limits.QUICHandshakeRate)
	}
	if c.Metrics == nil {
		c.Metrics = newMetrics()
	}
	if c.TokenKey == nil {
		c.TokenKey = make([]byte, len(quic.TokenGeneratorKey{})) // one for all workers
		_, _ = rand.Read(c.TokenKey)                             // never fails
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("vip", c.VIP)
}
