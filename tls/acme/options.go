package acme

import (
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anyedge/anyedge/tls/acme/dns01"
	"github.com/anyedge/anyedge/tls/acme/redis"
)

// Options is the `tls.acme` key of the configuration; without that key nothing is obtained.
type Options struct {
	// Email is where authorities write to about certificates. Most take accounts without one.
	Email string `yaml:"email"`
	// AgreeToTerms says that the authorities' terms of service are agreed to; without it only those are used that have
	// none.
	AgreeToTerms bool `yaml:"agree_to_terms"`
	// Authorities are tried in this order, each time anew. None: Let's Encrypt.
	Authorities []Authority `yaml:"authorities"`
	// Hosts are the names to obtain certificates for, one each. None: all host names of the sites that no certificate
	// from a file covers.
	Hosts []string `yaml:"hosts"`
	// Storage is the directory of keys, certificates and accounts, of mode 0700.
	Storage string `yaml:"storage"`
	// Redis is what the fleet's nodes share besides; nil: nothing. What is in Storage is encrypted then.
	Redis *redis.Options `yaml:"redis"`
	// KeyType is that of the certificates' keys: p256, p384, ed25519, rsa2048 or rsa4096.
	KeyType string `yaml:"key_type"`
	// Challenges are the ways to show that a name is ours. None: http-01 and tls-alpn-01.
	Challenges []string `yaml:"challenges"`
	// DNS are those who host the zones whose names are shown to be ours by dns-01 instead, wildcards included.
	DNS []dns01.Options `yaml:"dns"`
	// OnDemand obtains certificates for further names as clients ask for them; nil: for none.
	OnDemand *OnDemandOptions `yaml:"on_demand"`
}

// Authority is one certificate authority.
type Authority struct {
	Directory string `yaml:"directory"` // the URL of its ACME directory (RFC 8555, section 7.1.1)
	RootFile  string `yaml:"root_file"` // PEM: whom its own server's certificate must come from; empty: the system's
	// KeyID and HMACKeyFile bind the account to one that the authority knows already (RFC 8555, section 7.3.4). The file
	// has the key in base64url, as authorities give it out.
	KeyID       string `yaml:"key_id"`
	HMACKeyFile string `yaml:"hmac_key_file"`
}

// LetsEncrypt is the directory that is used where none is configured.
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// The challenges by their names in RFC 8555, section 8 and RFC 8737.
const (
	HTTP01    = "http-01"
	TLSALPN01 = "tls-alpn-01"
)

var (
	allChallenges = []string{HTTP01, TLSALPN01}
	allKeyTypes   = []string{"p256", "p384", "ed25519", "rsa2048", "rsa4096"}
)

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() {
	*o = Options{AgreeToTerms: true, Storage: "/var/lib/anyedge/acme", KeyType: "p256"}
}

// Check reports every value that can't be right. It reads no files: see CheckFiles.
func (o *Options) Check(report func(key, problem string)) {
	if a, err := mail.ParseAddress(o.Email); o.Email != "" && (err != nil || a.Address != o.Email) {
		report("email", fmt.Sprintf("%q is no mail address, such as ops@example.com", o.Email))
	}
	if !filepath.IsAbs(o.Storage) {
		report("storage", "must be the absolute path of a directory that this node alone writes to")
	}
	if !slices.Contains(allKeyTypes, o.KeyType) {
		report("key_type", fmt.Sprintf("%q is none of %s", o.KeyType, strings.Join(allKeyTypes, ", ")))
	}
	o.checkChallenges(report)
	o.checkHosts(report)
	o.checkAuthorities(report)
	o.checkZones(report)
}

// checkZones reports a zone that two have: which would be asked?
func (o *Options) checkZones(report func(key, problem string)) {
	seen := map[string]bool{}
	for i := range o.DNS {
		for j, z := range o.DNS[i].Zones {
			if seen[z] && !slices.Contains(o.DNS[i].Zones[:j], z) {
				report(fmt.Sprintf("dns[%d].zones[%d]", i, j), fmt.Sprintf("%q has a host already", z))
			}
			seen[z] = true
		}
	}
}

func (o *Options) checkChallenges(report func(key, problem string)) {
	for i, c := range o.Challenges {
		if !slices.Contains(allChallenges, c) {
			report(fmt.Sprintf("challenges[%d]", i), fmt.Sprintf("%q is none of %s", c, strings.Join(allChallenges, ", ")))
		}
	}
}

func (o *Options) checkHosts(report func(key, problem string)) {
	for i, h := range o.Hosts {
		at := fmt.Sprintf("hosts[%d]", i)
		_, notAddress := netip.ParseAddr(h)
		switch {
		case notAddress == nil:
			report(at, fmt.Sprintf("%s is an address: only names can be obtained", h))
		case !o.Obtainable(h) && strings.HasPrefix(h, "*."):
			report(at, fmt.Sprintf("%q is a wildcard, which authorities give out for the challenge dns-01 alone: tls.acme.dns has no zone for it", h))
		case !o.Obtainable(h):
			report(at, fmt.Sprintf("%q is not a full host name", h))
		case slices.Contains(o.Hosts[:i], h):
			report(at, fmt.Sprintf("%q is given twice", h))
		}
	}
}

func (o *Options) checkAuthorities(report func(key, problem string)) {
	for i, a := range o.Authorities {
		at := fmt.Sprintf("authorities[%d].", i)
		u, err := url.Parse(a.Directory)
		switch {
		case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil:
			report(at+"directory", "must be the https URL of the authority's ACME directory, such as "+LetsEncrypt)
		case slices.ContainsFunc(o.Authorities[:i], func(other Authority) bool { return other.Directory == a.Directory }):
			report(at+"directory", "is given twice")
		}
		if (a.KeyID == "") != (a.HMACKeyFile == "") {
			report(at+"key_id", "and hmac_key_file go together: the authority gives out both")
		}
	}
}

// Obtainable tells whether a certificate for host, a site's host, can be obtained at all with these challenges.
func (o *Options) Obtainable(host string) bool {
	name, wild := strings.CutPrefix(strings.ToLower(host), "*.")
	if wild && !o.ByDNS(name) {
		return false
	}
	if len(name) > 253 || !strings.Contains(name, ".") {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return false
		}
	}
	_, err := netip.ParseAddr(name)
	return err != nil
}

// ByDNS tells whether host, which may be a wildcard, is shown to be ours by records in DNS.
func (o *Options) ByDNS(host string) bool {
	return slices.ContainsFunc(o.DNS, func(d dns01.Options) bool { return d.Covers(host) })
}

// isLabel tells whether l is a label of a host name (RFC 1123, section 2.1).
func isLabel(l string) bool {
	if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	return strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// allowed are the challenges that may be used.
func (o *Options) allowed() []string {
	if len(o.Challenges) == 0 {
		return []string{HTTP01, TLSALPN01}
	}
	return o.Challenges
}

// authorities are those to ask, in order.
func (o *Options) authorities() []Authority {
	if len(o.Authorities) == 0 {
		return []Authority{{Directory: LetsEncrypt}}
	}
	return o.Authorities
}
