package edgetls

import "fmt"

// Options is the `tls` key of the configuration.
type Options struct {
	Certificates []CertificateFiles `yaml:"certificates"`
	// MinVersion is the lowest TLS version offered over TCP, "1.2" or "1.3"; QUIC always speaks 1.3.
	MinVersion string `yaml:"min_version"`
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
	if o.MinVersion != "1.2" && o.MinVersion != "1.3" {
		report("min_version", fmt.Sprintf("%q is neither 1.2 nor 1.3", o.MinVersion))
	}
	for i, c := range o.Certificates {
		if c.Cert == "" {
			report(fmt.Sprintf("certificates[%d].cert", i), "is missing: the certificate that belongs to the key")
		}
		if c.Key == "" {
			report(fmt.Sprintf("certificates[%d].key", i), "is missing: the private key that belongs to the certificate")
		}
	}
}
