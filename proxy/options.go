package proxy

import "github.com/anyedge/anyedge/cache"

// SiteOptions configures one site: host names with their origin and path rules. It is one entry of the `sites` key.
type SiteOptions struct {
	Hosts  []string `yaml:"hosts"` // exact beats wildcard ("*.example.com") beats "*"
	VIPs   []string `yaml:"vips"`  // where the site is served; default: all
	Origin string   `yaml:"origin"`
	// Cache applies to every path that has no own.
	Cache cache.Policy `yaml:"cache"`
	// Paths are prefixes; the longest wins. A prefix matches whole segments: /static matches /static and
	// /static/x, not /statics.
	Paths map[string]PathOptions `yaml:"paths"`
}

// PathOptions overrides a site below one path prefix.
type PathOptions struct {
	Origin string        `yaml:"origin"` // default: the site's
	Cache  *cache.Policy `yaml:"cache"`  // default: the site's
}
