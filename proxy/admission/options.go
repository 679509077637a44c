package admission

import "time"

// Options is the `limits` key of the configuration: what a client may ask of the node.
// Each refusal is counted with its reason.
type Options struct {
	Header        int64         `yaml:"header" unit:"size"`  // a request's field section; more: 431
	HeaderTimeout time.Duration `yaml:"header_timeout"`      // to send it whole; slower: 408
	Content       int64         `yaml:"content" unit:"size"` // a request's content; more: 413; 0: unbounded
	ContentIdle   time.Duration `yaml:"content_idle"`        // no octet of a request's content for that long: 408
	SendIdle      time.Duration `yaml:"send_idle"`           // a client that takes no octet for that long is cut off
	IdleTimeout   time.Duration `yaml:"idle_timeout"`        // an idle connection is closed after that
	Requests      int           `yaml:"requests"`            // in flight on this node; more: 503
	Connections   int           `yaml:"connections"`         // TCP connections on this node; more wait in the kernel
	// ClientConnections are those, TCP and QUIC, of one client (as of Rate); more are refused. 0 turns it off.
	ClientConnections int    `yaml:"client_connections"`
	Streams           uint32 `yaml:"streams"` // concurrent streams of an H2 or H3 connection
	// Rate is requests per second of one client (an IPv4 address, an IPv6 /64), with Burst of them at once;
	// more: 429. 0 turns it off.
	Rate  float64 `yaml:"rate"`
	Burst int     `yaml:"burst"`
	// QUICHandshakes are unfinished, QUICHandshakeRate per second begin on this node; beyond either a client must prove its
	// address first (Retry, RFC 9000, section 8.1.2), a round trip more. 0: always.
	QUICHandshakes    int     `yaml:"quic_handshakes"`
	QUICHandshakeRate float64 `yaml:"quic_handshake_rate"`
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() {
	*o = Options{
		Header:        64 << 10,
		HeaderTimeout: 10 * time.Second,
		ContentIdle:   60 * time.Second,
		SendIdle:      60 * time.Second,
		IdleTimeout:   75 * time.Second,
		Requests:      100_000,
		Connections:   100_000,
		Streams:       250,
		Burst:         100,

		QUICHandshakes:    2000,
		QUICHandshakeRate: 5000,
	}
}

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	if o.Header < 1<<10 || o.Header > 16<<20 {
		report("header", "must lie between 1KiB and 16MiB")
	}
	if o.Content < 0 {
		report("content", "must not be negative; 0 is unbounded")
	}
	for key, d := range map[string]time.Duration{
		"header_timeout": o.HeaderTimeout, "content_idle": o.ContentIdle, "send_idle": o.SendIdle, "idle_timeout": o.IdleTimeout,
	} {
		if d <= 0 {
			report(key, "must be above 0")
		}
	}
	if o.Requests < 1 {
		report("requests", "must be at least 1")
	}
	if o.Connections < 1 {
		report("connections", "must be at least 1")
	}
	if o.ClientConnections < 0 {
		report("client_connections", "must not be negative; 0 turns it off")
	}
	if o.Streams < 1 {
		report("streams", "must be at least 1")
	}
	if o.Rate < 0 {
		report("rate", "must not be negative; 0 turns it off")
	}
	if o.Rate > 0 && o.Burst < 1 {
		report("burst", "must be at least 1")
	}
	if o.QUICHandshakes < 0 {
		report("quic_handshakes", "must not be negative; with 0 every client must prove its address")
	}
	if o.QUICHandshakeRate < 0 {
		report("quic_handshake_rate", "must not be negative; with 0 every client must prove its address")
	}
}
