package dns01

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options is one entry of the `tls.acme.dns` key of the configuration: who hosts some zones.
type Options struct {
	// Zones are those whose names are shown to be ours by it.
	Zones []string `yaml:"zones"`
	// Provider is rfc2136 or cloudflare.
	Provider string `yaml:"provider"`
	// ChallengeZone has the records in place of Zones, whose _acme-challenge names are CNAMEs for names in it; empty: Zones
	// have them. The provider's key or token needs no right to change Zones then.
	ChallengeZone string `yaml:"challenge_zone"`
	// Server is the zones' primary name server, HOST:PORT, and KeyFile a TSIG key (RFC 8945) that may change their
	// _acme-challenge records, as tsig-keygen writes it: for rfc2136.
	Server  string `yaml:"server"`
	KeyFile string `yaml:"key_file"`
	// TokenFile has an API token that may read the zones and edit their records: for cloudflare.
	TokenFile string `yaml:"token_file"`
	// NameServers must all have a record before an authority is asked to look for it. None: those that the zone names, as
	// Resolver has it, which knows the CNAMEs as well; empty: the system's first.
	NameServers []string `yaml:"name_servers"` // HOST:PORT
	Resolver    string   `yaml:"resolver"`     // HOST:PORT
	// Propagation is how long that may take.
	Propagation time.Duration `yaml:"propagation"`

	// HTTP sends an API's requests; nil is a client of its own.
	HTTP Doer `yaml:"-"`
}

// The providers.
const (
	RFC2136    = "rfc2136"
	Cloudflare = "cloudflare"
)

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() { *o = Options{Propagation: time.Minute} }

// Check reports every value that can't be right. It reads no files: see CheckFiles.
func (o *Options) Check(report func(key, problem string)) {
	o.checkZones(report)
	switch o.Provider {
	case RFC2136:
		if !isHostPort(o.Server) {
			report("server", "must be HOST:PORT of the zones' primary name server")
		}
		if o.KeyFile == "" {
			report("key_file", "is missing: the TSIG key that may change the zones, as tsig-keygen writes it")
		}
	case Cloudflare:
		if o.TokenFile == "" {
			report("token_file", "is missing: an API token that may read the zones and edit their records")
		}
	default:
		report("provider", fmt.Sprintf("%q is none of %s, %s", o.Provider, RFC2136, Cloudflare))
	}
	o.checkOthers(report)
	for i, s := range o.NameServers {
		if !isHostPort(s) {
			report(fmt.Sprintf("name_servers[%d]", i), "must be HOST:PORT of a name server")
		}
	}
	if o.Resolver != "" && !isHostPort(o.Resolver) {
		report("resolver", "must be HOST:PORT of a resolver")
	}
	if o.Propagation < time.Second || o.Propagation > maxPropagation {
		report("propagation", "must be between 1s and 5m")
	}
}

// checkOthers reports what has a meaning for another provider alone.
func (o *Options) checkOthers(report func(key, problem string)) {
	for key, k := range map[string]struct{ value, provider string }{
		"server": {o.Server, RFC2136}, "key_file": {o.KeyFile, RFC2136}, "token_file": {o.TokenFile, Cloudflare},
	} {
		if k.value != "" && o.Provider != k.provider && (o.Provider == RFC2136 || o.Provider == Cloudflare) {
			report(key, "has a meaning for "+k.provider+" alone")
		}
	}
}

// maxPropagation leaves time for the rest of an order.
const maxPropagation = 5 * time.Minute

func (o *Options) checkZones(report func(key, problem string)) {
	if o.ChallengeZone != "" && !isZone(o.ChallengeZone) {
		report("challenge_zone", notZone(o.ChallengeZone))
	}
	if len(o.Zones) == 0 {
		report("zones", "is missing: the zones whose names it serves, such as example.com")
	}
	for i, z := range o.Zones {
		at := fmt.Sprintf("zones[%d]", i)
		switch {
		case !isZone(z):
			report(at, notZone(z))
		case slices.Contains(o.Zones[:i], z):
			report(at, fmt.Sprintf("%q is given twice", z))
		}
	}
}

func isZone(z string) bool { return z != "" && strings.Trim(z, ".*") == z && strings.ToLower(z) == z }

func notZone(z string) string {
	return fmt.Sprintf("%q is no zone in lower case, such as example.com", z)
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, notNumber := strconv.ParseUint(port, 10, 16)
	return err == nil && host != "" && notNumber == nil && n > 0
}

// CheckFiles reports every file that is named and can't be read, or has not what it should have.
func (o *Options) CheckFiles(report func(key, problem string)) {
	if _, err := readKey(o.KeyFile); o.Provider == RFC2136 && err != nil {
		report("key_file", err.Error())
	}
	if _, err := readToken(o.TokenFile); o.Provider == Cloudflare && err != nil {
		report("token_file", err.Error())
	}
}

// Covers tells whether name, which may be a wildcard, is in one of the zones.
func (o *Options) Covers(name string) bool { return o.zoneOf(name) != "" }

// zoneOf is the longest of the zones that name is in.
func (o *Options) zoneOf(name string) (longest string) {
	name = strings.ToLower(strings.TrimPrefix(name, "*."))
	for _, z := range o.Zones {
		if isIn(name, z) && len(z) > len(longest) {
			longest = z
		}
	}
	return longest
}

func isIn(name, zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }
