package fleet

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// Options says who the other nodes are. It is the `fleet` key of the configuration.
type Options struct {
	// Nodes are the others, by their addresses. None: this node decides alone.
	Nodes []Node `yaml:"nodes"`
	// Interval is how often each is asked. What is older than 5 s doesn't count.
	Interval time.Duration `yaml:"interval"`
	// SecretFile has what the fleet's keys are derived from; see package secret. Empty: each node has keys of its own.
	SecretFile string `yaml:"secret_file"`
	Join       any    `yaml:"join" later:"the fleet"`
}

// Node is one other node.
type Node struct {
	Name    string     `yaml:"name"`    // its node.name
	Address netip.Addr `yaml:"address"` // its own unicast address, at which its data plane must answer
	Admin   string     `yaml:"admin"`   // its admin API: https://HOST:PORT
	// TokenFile has the bearer token of its admin API, CAFile (PEM) the authority of its certificate.
	TokenFile string `yaml:"token_file"`
	CAFile    string `yaml:"ca_file"`
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() { *o = Options{Interval: time.Second} }

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	if o.Interval < 100*time.Millisecond || o.Interval > 4*time.Second {
		report("interval", "must lie between 100ms and 4s: what is older than 5s doesn't count")
	}
	for i, n := range o.Nodes {
		at := fmt.Sprintf("nodes[%d].", i)
		if n.Name == "" {
			report(at+"name", "is missing: the other node's node.name")
		}
		if slices.ContainsFunc(o.Nodes[:i], func(other Node) bool { return other.Name == n.Name && n.Name != "" }) {
			report(at+"name", fmt.Sprintf("%q is given twice", n.Name))
		}
		if !n.Address.IsValid() || n.Address.IsUnspecified() || n.Address.IsMulticast() {
			report(at+"address", "is missing: the other node's own unicast address, its node.address")
		}
		if u, err := url.Parse(n.Admin); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" {
			report(at+"admin", "must be the other node's admin API: https://HOST:PORT, or http:// within a network of your own")
		}
	}
}
