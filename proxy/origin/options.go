package origin

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Options configures one origin: a group of servers with the same content. It is one entry of the `origins` key.
type Options struct {
	// Servers are base URLs without a path: http://host[:port], https://host[:port].
	Servers []string `yaml:"servers"`
	// Host replaces the Host field towards the origin; empty keeps the client's.
	Host  string       `yaml:"host"`
	HTTP2 bool         `yaml:"http2"` // offer H2 to https servers by ALPN
	H2C   bool         `yaml:"h2c"`   // speak H2 with prior knowledge to http servers, for gRPC
	TLS   TLSOptions   `yaml:"tls"`
	Probe ProbeOptions `yaml:"probe"`

	ConnectTimeout   time.Duration `yaml:"connect_timeout"`    // TCP and TLS handshake
	FirstByteTimeout time.Duration `yaml:"first_byte_timeout"` // request sent → response header section
	IdleTimeout      time.Duration `yaml:"idle_timeout"`       // no octet of the content for that long
	KeepAlive        time.Duration `yaml:"keep_alive"`         // how long an idle connection is kept

	Retry       RetryOptions       `yaml:"retry"`
	Ejection    EjectionOptions    `yaml:"ejection"`
	Concurrency ConcurrencyOptions `yaml:"concurrency"`

	// LocalAddress is the node's own unicast address, which servers are dialled from, so that answers
	// don't go to whichever node the anycast address leads them to. Set from node.address.
	LocalAddress netip.Addr `yaml:"-"`
	// Resolver looks the servers' names up; nil is the system's.
	Resolver *net.Resolver `yaml:"-"`
}

// TLSOptions says whom to trust as the origin.
type TLSOptions struct {
	CAFile     string `yaml:"ca_file"`     // PEM; default: the system's
	ServerName string `yaml:"server_name"` // default: the server's host
	// Cert and Key are PEM files of the certificate that is shown to servers that ask for one; empty: none is.
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// ProbeOptions configures the active checks, made over the pool's own transport.
type ProbeOptions struct {
	Path     string        `yaml:"path"` // empty: no active checks
	Host     string        `yaml:"host"` // default: the pool's Host, else the server's
	Interval time.Duration `yaml:"interval"`
	Timeout  time.Duration `yaml:"timeout"`
	Fall     int           `yaml:"fall"` // failures in a row that take a server down
	Rise     int           `yaml:"rise"` // successes in a row that bring it back
}

// RetryOptions bounds retries of idempotent requests, before anything was sent to the client.
type RetryOptions struct {
	Max    int     `yaml:"max"`                 // per request
	Budget float64 `yaml:"budget" unit:"ratio"` // retries per request over the last 10 s, with 10 always allowed
}

// EjectionOptions configures passive checks: a server that fails real requests is left alone for a while.
type EjectionOptions struct {
	Failures int           `yaml:"failures"` // in a row: connect errors, timeouts, 502, 503, 504; 0 turns it off
	For      time.Duration `yaml:"for"`      // doubles with each ejection in a row, up to 16 times
	// Panic: with a smaller share of servers than this left, all are used again: a bad server beats none.
	Panic float64 `yaml:"panic" unit:"ratio"`
}

// ConcurrencyOptions bounds what the pool does at once.
type ConcurrencyOptions struct {
	Max   int           `yaml:"max"`   // requests in flight to one server
	Queue int           `yaml:"queue"` // requests that wait for a place in the pool; one more is refused with 503
	Wait  time.Duration `yaml:"wait"`  // the longest wait
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() {
	*o = Options{
		HTTP2:            true,
		Probe:            ProbeOptions{Interval: time.Second, Timeout: time.Second, Fall: 3, Rise: 2},
		ConnectTimeout:   3 * time.Second,
		FirstByteTimeout: 30 * time.Second,
		IdleTimeout:      60 * time.Second,
		KeepAlive:        60 * time.Second,
		Retry:            RetryOptions{Max: 2, Budget: 0.2},
		Ejection:         EjectionOptions{Failures: 5, For: 5 * time.Second, Panic: 0.5},
		Concurrency:      ConcurrencyOptions{Max: 1024, Queue: 1024, Wait: 5 * time.Second},
	}
}

// Check reports every value that can't be right. It resolves no names and reads no files.
func (o *Options) Check(report func(key, problem string)) {
	if len(o.Servers) == 0 {
		report("servers", "is empty: list at least one, for example https://192.0.2.80:8443")
	}
	for i, s := range o.Servers {
		if problem := checkServer(s); problem != "" {
			report(fmt.Sprintf("servers[%d]", i), problem)
		}
		if slices.Contains(o.Servers[:i], s) {
			report(fmt.Sprintf("servers[%d]", i), fmt.Sprintf("%q is listed already", s))
		}
	}
	if o.TLS != (TLSOptions{}) && !slices.ContainsFunc(o.Servers, func(s string) bool { return strings.HasPrefix(s, "https://") }) {
		report("tls", "is for https servers, and servers lists none")
	}
	if o.TLS.Cert != "" && o.TLS.Key == "" {
		report("tls.key", "is missing: the private key that belongs to tls.cert")
	}
	if o.TLS.Key != "" && o.TLS.Cert == "" {
		report("tls.cert", "is missing: the certificate that belongs to tls.key")
	}
	if o.Probe.Path != "" && !strings.HasPrefix(o.Probe.Path, "/") {
		report("probe.path", "must begin with /")
	}
	for key, d := range map[string]time.Duration{
		"connect_timeout": o.ConnectTimeout, "first_byte_timeout": o.FirstByteTimeout, "idle_timeout": o.IdleTimeout,
		"keep_alive": o.KeepAlive, "probe.interval": o.Probe.Interval, "probe.timeout": o.Probe.Timeout,
		"ejection.for": o.Ejection.For, "concurrency.wait": o.Concurrency.Wait,
	} {
		if d <= 0 {
			report(key, "must be above 0")
		}
	}
	for key, n := range map[string]int{"probe.fall": o.Probe.Fall, "probe.rise": o.Probe.Rise, "concurrency.max": o.Concurrency.Max} {
		if n < 1 {
			report(key, "must be at least 1")
		}
	}
	for key, n := range map[string]int{"retry.max": o.Retry.Max, "ejection.failures": o.Ejection.Failures, "concurrency.queue": o.Concurrency.Queue} {
		if n < 0 {
			report(key, "must not be negative")
		}
	}
	for key, f := range map[string]float64{"retry.budget": o.Retry.Budget, "ejection.panic": o.Ejection.Panic} {
		if f < 0 || f > 1 {
			report(key, "must lie between 0% and 100%")
		}
	}
}

func checkServer(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return fmt.Sprintf("%q is not http://HOST[:PORT] or https://HOST[:PORT]", s)
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "", u.User != nil:
		return fmt.Sprintf("%q must have nothing but a scheme, a host and a port", s)
	}
	return ""
}
