package admin

import (
	"net"
	"net/netip"
	"strings"
)

// Options is the `admin` key of the configuration.
type Options struct {
	// Listen is HOST:PORT or unix:PATH. Off loopback it needs a TokenFile.
	Listen string `yaml:"listen"`
	// TokenFile holds a bearer token that every request must carry.
	TokenFile string `yaml:"token_file"`
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() { *o = Options{Listen: "127.0.0.1:9180"} }

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
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
	addr, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !addr.IsLoopback()) && o.TokenFile == "" {
		report("listen", "is reachable from other hosts: set token_file, or listen on 127.0.0.1 or unix:PATH")
	}
}
