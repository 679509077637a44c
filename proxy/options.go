package proxy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/tls/clientauth"
)

// SiteOptions configures one site: host names with their origin and path rules. It is one entry of the `sites` key.
type SiteOptions struct {
	// Hosts are names, wildcards ("*.example.com" stands for one label or more) and "*". An exact name beats the
	// longest wildcard beats "*".
	Hosts  []string `yaml:"hosts"`
	VIPs   []string `yaml:"vips"` // where the site is served; default: all
	Origin string   `yaml:"origin"`
	// EarlyData answers GET and HEAD that come over QUIC before the handshake is complete (RFC 8470): a round trip less for
	// clients that come back. What they ask may be asked again by whoever has recorded it, so the origin must not mind;
	// it is told by Early-Data: 1, and may answer 425.
	EarlyData bool `yaml:"early_data"`
	// HSTS tells clients to come by HTTPS alone, on every response over TLS, in place of what the origin says; nil: what the
	// origin says stays.
	HSTS *HSTSOptions `yaml:"hsts"`
	// ClientCertificates has clients show a certificate; nil: they needn't.
	ClientCertificates *clientauth.Options `yaml:"client_certificates"`
	// Cache applies to every path that has no own.
	Cache cache.Policy `yaml:"cache"`
	// Paths are prefixes; the longest wins. A prefix matches whole segments: /static matches /static and
	// /static/x, not /statics. A slash at its end makes no difference.
	Paths map[string]PathOptions `yaml:"paths"`
}

// PathOptions overrides a site below one path prefix.
type PathOptions struct {
	Origin string        `yaml:"origin"` // default: the site's
	Cache  *cache.Policy `yaml:"cache"`  // default: the site's
}

// Check reports every value that can't be right. Whether VIPs and origins exist is for configs to say.
func (o *SiteOptions) Check(report func(key, problem string)) {
	if len(o.Hosts) == 0 {
		report("hosts", `is empty: list the names that clients ask for, or "*" for all`)
	}
	for i, h := range o.Hosts {
		if !validPattern(h) {
			report(fmt.Sprintf("hosts[%d]", i), fmt.Sprintf("%q is neither a host name, nor *.NAME, nor *", h))
		}
	}
	if o.EarlyData && o.ClientCertificates != nil {
		report("early_data", "can't be with client_certificates: it comes before the client has shown one")
	}
	seen := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(o.Paths)) {
		if problem := checkPrefix(key); problem != "" {
			report("paths."+key, problem)
		}
		if other, twice := seen[pathPrefix(key)]; twice {
			report("paths."+key, "is the same prefix as "+other)
		}
		seen[pathPrefix(key)] = key
	}
}

// validPattern reports whether h can stand in SiteOptions.Hosts: a port is not part of a host.
func validPattern(h string) bool {
	name := strings.TrimPrefix(h, "*.")
	return h == "*" || validHost(strings.ToLower(name)) && !strings.HasSuffix(name, ".")
}

// checkPrefix says what is wrong with a path prefix, or nothing. It is matched against decoded paths without dot
// segments, so an encoded one would never match.
func checkPrefix(key string) string {
	switch {
	case !strings.HasPrefix(key, "/"):
		return "must begin with /"
	case strings.ContainsAny(key, "%;\\?#") || hasControls(key):
		return `must be a plain path, without % ; \ ? # and control characters: paths are decoded before they are matched`
	case strings.Contains(key, "//") || strings.Contains(key+"/", "/./") || strings.Contains(key+"/", "/../"):
		return "must not have empty or dot segments: no path that is matched has"
	}
	return ""
}

// pathPrefix is key as rules are kept: "/static" for "/static/", "" for "/".
func pathPrefix(key string) string { return strings.TrimSuffix(key, "/") }
