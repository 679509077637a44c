package admin

import (
	"net"
	"net/netip"
	"strings"
)

// Options is the `admin` key of the configuration.
type Options struct {
	// Listen is HOST:PORT or unix:PATH. Off loopback it needs a token or client certificates.
	Listen string `yaml:"listen"`
	// TokenFile holds a bearer token that every request must carry, but for /healthz and /readyz.
	TokenFile string `yaml:"token_file"`
	// CertFile and KeyFile (PEM) turn on TLS.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ClientCAFile (PEM) makes every client show a certificate of these authorities; it needs TLS.
	ClientCAFile string `yaml:"client_ca_file"`
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() { *o = Options{Listen: "127.0.0.1:9180"} }

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	if (o.CertFile == "") != (o.KeyFile == "") {
		report("cert_file", "and key_file belong together")
	}
	if o.ClientCAFile != "" && o.CertFile == "" {
		report("client_ca_file", "needs TLS: set cert_file and key_file")
	}
	if path, ok := strings.CutPrefix(o.Listen, "unix:"); ok {
		if path == "" {
			report("listen", "needs a path after unix:")
		}
		return
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		report("listen", "must be HOST:PORT or unix:PATH")
		return
	}
	if !isLoopback(host) && o.TokenFile == "" && o.ClientCAFile == "" {
		report("listen", "is reachable from other hosts: set token_file or client_ca_file, or listen on 127.0.0.1 or unix:PATH")
	}
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
