package edgetls

import "fmt"

// Options is the `tls` key of the configuration.
type Options struct {
	Certificates []CertificateFiles `yaml:"certificates"`
	// MinVersion is the lowest TLS version offered over TCP, "1.2" or "1.3"; QUIC always speaks 1.3.
	MinVersion string `yaml:"min_version"`
	// Curves are the key exchanges that are offered, by name; none: all of crypto/tls's.
	Curves []string `yaml:"curves"`
	// Ciphers are the cipher suites that are offered over TLS 1.2, by their names in crypto/tls and at IANA; none: its own.
	Ciphers []string `yaml:"ciphers"`
	// StrictSNI refuses handshakes for names that no certificate covers, in place of showing the first certificate.
	StrictSNI bool `yaml:"strict_sni"`
	// ECHKeys are files of Encrypted Client Hello (RFC 9849), as NewECH makes them. The first is the one that clients are
	// told of when they come with one that isn't known; the others are for those who were told before.
	ECHKeys []string `yaml:"ech_keys"`
}

// CertificateFiles names the files of one certificate.
type CertificateFiles struct {
	Cert string `yaml:"cert"` // PEM, the leaf first, then the intermediates
	Key  string `yaml:"key"`  // PEM
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() { *o = Options{MinVersion: "1.2"} }

// Check reports every value that can't be right. It reads no files: see Load.
func (o *Options) Check(report func(key, problem string)) {
	o.checkPolicy(report)
	for i, c := range o.Certificates {
		if c.Cert == "" {
			report(fmt.Sprintf("certificates[%d].cert", i), "is missing: the certificate that belongs to the key")
		}
		if c.Key == "" {
			report(fmt.Sprintf("certificates[%d].key", i), "is missing: the private key that belongs to the certificate")
		}
	}
	for i, file := range o.ECHKeys {
		if file == "" {
			report(fmt.Sprintf("ech_keys[%d]", i), "is empty: a file that anyedge ech new has made")
		}
	}
}
