package configs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/disk"
	"github.com/anyedge/anyedge/cache/governor"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/health/probe"
	"github.com/anyedge/anyedge/proxy"
	"github.com/anyedge/anyedge/proxy/admin"
	"github.com/anyedge/anyedge/proxy/admission"
	"github.com/anyedge/anyedge/proxy/listener"
	"github.com/anyedge/anyedge/proxy/origin"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
	"github.com/anyedge/anyedge/routing/fleet"
	"github.com/anyedge/anyedge/routing/steer"
	edgetls "github.com/anyedge/anyedge/tls"
	"github.com/anyedge/anyedge/tls/acme"
)

// Config is one node's whole configuration: the packages' own options under their keys.
// A value that Parse or Load returned is complete: defaults are set, references lead somewhere.
type Config struct {
	Node    Node                          `yaml:"node"`
	VIPs    map[string]*VIP               `yaml:"vips"`
	TLS     TLS                           `yaml:"tls"`
	Origins map[string]*origin.Options    `yaml:"origins"`
	Sites   map[string]*proxy.SiteOptions `yaml:"sites"`
	Cache   Cache                         `yaml:"cache"`
	Limits  admission.Options             `yaml:"limits"`
	Health  health.Options                `yaml:"health"`
	Routing routing.Options               `yaml:"routing"`
	BGP     bgp.Options                   `yaml:"bgp"`
	Fleet   Fleet                         `yaml:"fleet"`
	Admin   admin.Options                 `yaml:"admin"`
	Log     Log                           `yaml:"log"`

	places places
}

// Node says who this node is.
type Node struct {
	Name    string     `yaml:"name"`    // unique in the fleet; the cache's name in Cache-Status
	Metro   string     `yaml:"metro"`   // the place that nodes share
	Address netip.Addr `yaml:"address"` // this node's own unicast address
}

// VIP is one named anycast service address set.
type VIP struct {
	listener.Options `yaml:",inline"`
	// Announce are the prefixes that BGP announces; default: host routes of the addresses.
	Announce []netip.Prefix `yaml:"announce"`
	// Probes ask a service that stands beside anyedge and is announced with the VIP.
	Probes []probe.Options `yaml:"probes"`
}

// TLS adds to the certificates from files those that are obtained.
type TLS struct {
	edgetls.Options `yaml:",inline"`
	// ACME is nil where nothing is obtained.
	ACME *acme.Options `yaml:"acme"`
}

// Cache adds the disk tier to the memory tier.
type Cache struct {
	cache.Options `yaml:",inline"`
	// Governed has `cache.memory`.
	Governed governor.Options `yaml:",inline"`
	// Disk is nil for no disk tier.
	Disk *disk.Options `yaml:"disk"`
}

// SetDefaults sets the values that serve when the configuration is silent.
func (c *Cache) SetDefaults() {
	c.Options.SetDefaults()
	c.Governed.SetDefaults()
}

// Check reports every value that can't be right.
func (c *Cache) Check(report func(key, problem string)) {
	c.Options.Check(report)
	c.Governed.Check(report)
}

// Fleet adds steering to what is known of the other nodes.
type Fleet struct {
	fleet.Options `yaml:",inline"`
	// Steering is nil for none.
	Steering *steer.Options `yaml:"steering"`
	// TCPRescue has TCP connections outlive a route change, too, where the host lets it.
	TCPRescue bool `yaml:"tcp_rescue"`
}

// Log says what is logged and where.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text or json, for what the node does; the access log is always JSON
	Access string `yaml:"access"` // stdout, off, or a file's path, reopened on SIGHUP
}

// SetDefaults sets the values that serve when the configuration is silent.
func (l *Log) SetDefaults() { *l = Log{Level: "info", Format: "text", Access: "stdout"} }

// Check reports every value that can't be right.
func (l *Log) Check(report func(key, problem string)) {
	if levels := []string{"debug", "info", "warn", "error"}; !slices.Contains(levels, l.Level) {
		report("level", fmt.Sprintf("%q is none of %s", l.Level, strings.Join(levels, ", ")))
	}
	if l.Format != "text" && l.Format != "json" {
		report("format", fmt.Sprintf("%q is neither text nor json", l.Format))
	}
	if l.Access == "" {
		report("access", "is empty: stdout, off or a file's path")
	}
}
