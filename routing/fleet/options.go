package fleet

import (
	"fmt"
	"net"
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
	// Join is where other nodes gossip: HOST:PORT of some of them, this one may be among them. None: it gossips with nobody.
	Join []string `yaml:"join"`
	// Listen is where this node gossips, ADDRESS:PORT by TCP and UDP; empty: its own address and DefaultPort.
	Listen string `yaml:"listen"`
	// Advertise is where others reach it, where that is another address; empty: Listen.
	Advertise string `yaml:"advertise"`
	// StateFile keeps its numbers, and which purges it has carried out. Without it everything that is stored on disk goes
	// at each start.
	StateFile string `yaml:"state_file"`
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

// DefaultPort is where nodes gossip.
const DefaultPort = 7946

// listen is where to gossip, at node's address where nothing else is said.
func (o *Options) listen(node netip.Addr) netip.AddrPort {
	if at, err := netip.ParseAddrPort(o.Listen); err == nil {
		return at
	}
	return netip.AddrPortFrom(node, DefaultPort)
}

// advertise is where others reach this node; the zero value: where it listens.
func (o *Options) advertise() netip.AddrPort {
	at, _ := netip.ParseAddrPort(o.Advertise) // empty, or refused by Check
	return at
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() { *o = Options{Interval: time.Second} }

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	if o.Interval < 100*time.Millisecond || o.Interval > 4*time.Second {
		report("interval", "must lie between 100ms and 4s: what is older than 5s doesn't count")
	}
	o.checkGossip(report)
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

func (o *Options) checkGossip(report func(key, problem string)) {
	for i, seed := range o.Join {
		if host, port, err := net.SplitHostPort(seed); err != nil || host == "" || port == "" {
			report(fmt.Sprintf("join[%d]", i), "must be HOST:PORT of another node")
		}
	}
	listen, err := netip.ParseAddrPort(o.Listen)
	switch {
	case o.Listen != "" && err != nil:
		report("listen", "must be ADDRESS:PORT of this node")
	case o.Listen != "" && listen.Addr().IsUnspecified() && o.Advertise == "":
		report("listen", "is every address: set advertise to the one at which the others reach this node")
	}
	if at, err := netip.ParseAddrPort(o.Advertise); o.Advertise != "" && (err != nil || at.Addr().IsUnspecified() || at.Addr().IsMulticast() || at.Port() == 0) {
		report("advertise", "must be ADDRESS:PORT at which the others reach this node")
	}
	if len(o.Join) > 0 {
		return
	}
	for key, value := range map[string]string{"listen": o.Listen, "advertise": o.Advertise, "state_file": o.StateFile} {
		if value != "" {
			report(key, "does nothing without join: HOST:PORT of some nodes of the fleet")
		}
	}
}
