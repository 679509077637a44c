package edgetls

import (
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// curves are the key exchanges by the names of the configuration. The order among those that are offered is crypto/tls's:
// the post-quantum ones first.
var curves = map[string]tls.CurveID{
	"x25519mlkem768": tls.X25519MLKEM768, "secp256r1mlkem768": tls.SecP256r1MLKEM768, "secp384r1mlkem1024": tls.SecP384r1MLKEM1024,
	"x25519": tls.X25519, "p256": tls.CurveP256, "p384": tls.CurveP384, "p521": tls.CurveP521,
}

// suites are TLS 1.2's cipher suites by their names. Those of TLS 1.3 are all good, and crypto/tls lets nobody choose.
func suites() map[string]uint16 {
	list := map[string]uint16{}
	for _, s := range tls.CipherSuites() {
		if slices.Contains(s.SupportedVersions, tls.VersionTLS12) {
			list[s.Name] = s.ID
		}
	}
	return list
}

// checkPolicy reports what can't be offered.
func (o *Options) checkPolicy(report func(key, problem string)) {
	if o.MinVersion != "1.2" && o.MinVersion != strict {
		report("min_version", fmt.Sprintf("%q is neither 1.2 nor 1.3", o.MinVersion))
	}
	for i, name := range o.Curves {
		if _, ok := curves[name]; !ok {
			report(fmt.Sprintf("curves[%d]", i), fmt.Sprintf("%q is none of %s", name, strings.Join(slices.Sorted(maps.Keys(curves)), ", ")))
		}
	}
	known := suites()
	for i, name := range o.Ciphers {
		if _, ok := known[name]; !ok {
			report(fmt.Sprintf("ciphers[%d]", i), fmt.Sprintf("%q is no cipher suite of TLS 1.2 that is safe: there are %s", name,
				strings.Join(slices.Sorted(maps.Keys(known)), ", ")))
		}
	}
	if len(o.Ciphers) > 0 && o.MinVersion == strict {
		report("ciphers", "are those of TLS 1.2, which min_version rules out")
	}
	for _, kind := range []string{"TLS_ECDHE_ECDSA_", "TLS_ECDHE_RSA_"} {
		if lacksH2(o.Ciphers, kind) {
			report("ciphers", fmt.Sprintf("have no %s… suite for H2, which takes none with CBC (RFC 9113, section 9.2.2): clients that "+
				"speak H2 and no TLS 1.3 would be turned away: add %sWITH_AES_128_GCM_SHA256", kind, kind))
		}
	}
}

// lacksH2 tells whether names has suites of kind, but none over which H2 is spoken. H2 is agreed on by ALPN whatever suite comes
// of it, and the connection then ends.
func lacksH2(names []string, kind string) bool {
	of := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.HasPrefix(name, kind) })
	return len(of) > 0 && !slices.ContainsFunc(of, func(name string) bool { return !strings.Contains(name, "_CBC_") })
}

// policyConfig is what replaces the configuration for a handshake where o asks for other than the defaults, or nil.
func (s *Store) policyConfig(o Options) *tls.Config {
	if o.MinVersion != strict && len(o.Curves) == 0 && len(o.Ciphers) == 0 {
		return nil
	}
	c := s.config.Clone()
	c.GetConfigForClient = nil
	if o.MinVersion == strict {
		c.MinVersion = tls.VersionTLS13
	}
	for _, name := range o.Curves {
		c.CurvePreferences = append(c.CurvePreferences, curves[name])
	}
	known := suites()
	for _, name := range o.Ciphers {
		c.CipherSuites = append(c.CipherSuites, known[name])
	}
	return c
}
