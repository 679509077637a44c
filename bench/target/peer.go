package target

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/anyedge/anyedge/bench/load"
)

// Peer is a server that anyedge is measured against.
type Peer struct {
	Name     string
	About    string   // how it is configured
	Needs    []string // programs
	Packages []string // of Debian that have them
	Why      string   // why it isn't there, where that isn't a matter of packages
	Stores   bool     // it has a cache
	Files    bool     // it has the contents as files
	Proxies  bool     // it has the origin
	version  []string // the command that prints its version
	start    func(context.Context, *Site, Cores) (*Server, error)
}

// Missing says why the peer can't be started; empty when it can.
func (p *Peer) Missing() string {
	if p.Why != "" {
		return p.Why
	}
	for _, n := range p.Needs {
		if _, err := exec.LookPath(n); err != nil {
			return fmt.Sprintf("%s is not installed: apt-get install %s", n, strings.Join(p.Packages, " "))
		}
	}
	return ""
}

// Version is what it says its version is; empty: it doesn't say.
func (p *Peer) Version() string {
	if len(p.version) == 0 {
		return ""
	}
	out, _ := exec.Command(p.version[0], p.version[1:]...).CombinedOutput() // some exit with an error all the same
	return regexp.MustCompile(`[0-9]+\.[0-9]+(\.[0-9]+)*`).FindString(string(out))
}

// Start runs it for a site. The caller stops it.
func (p *Peer) Start(ctx context.Context, site *Site, cores Cores) (*Server, error) {
	return p.start(ctx, site, cores)
}

// Peers lists those that are known. Caddy's program is built by BuildCaddy; empty: there is none.
func Peers(caddy string) []*Peer {
	return []*Peer{nginx(), haproxy(), varnish(), trafficServer(), h2o(), caddyPeer(caddy), nginxFiles()}
}

// Packages are those of Debian that have peers.
func Packages() []string {
	var list []string
	for _, p := range Peers("") {
		for _, name := range p.Packages {
			if !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}

// newServer is a server at an address of its own.
func newServer(name string, protocols ...load.Protocol) (*Server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return &Server{Name: name, Address: address, Protocols: protocols}, nil
}

// says tells whether what a program prints about itself has a word in it.
func says(word, program string, args ...string) bool {
	out, err := exec.Command(program, args...).CombinedOutput()
	return err == nil && strings.Contains(string(out), word)
}
