package clientauth

import "fmt"

// The modes.
const (
	Required = "required" // a client without a certificate isn't served
	Optional = "optional" // it is, as one without; a certificate that isn't taken is refused all the same
)

// What to do with a revocation list that is past its time.
const (
	RefuseExpired = "refuse"
	UseExpired    = "use"
)

// Options is the `client_certificates` key of a site.
type Options struct {
	// CAFile is a PEM file of the authorities. One whose issuer isn't in it is trusted by itself.
	CAFile string `yaml:"ca_file"`
	Mode   string `yaml:"mode"`
	// CRLFiles are revocation lists, PEM or DER, each of an authority of CAFile.
	CRLFiles []string `yaml:"crl_files"`
	// ExpiredCRL says what a list means after its next update is due: "refuse" takes no certificate of its authority,
	// "use" goes by what it lists.
	ExpiredCRL string `yaml:"expired_crl"`
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() { *o = Options{Mode: Required, ExpiredCRL: RefuseExpired} }

// Check reports every value that can't be right. It reads no files: see Load.
func (o *Options) Check(report func(key, problem string)) {
	if o.CAFile == "" {
		report("ca_file", "is missing: the authorities whose certificates are taken")
	}
	if o.Mode != Required && o.Mode != Optional {
		report("mode", fmt.Sprintf("%q is neither %s nor %s", o.Mode, Required, Optional))
	}
	if o.ExpiredCRL != RefuseExpired && o.ExpiredCRL != UseExpired {
		report("expired_crl", fmt.Sprintf("%q is neither %s nor %s", o.ExpiredCRL, RefuseExpired, UseExpired))
	}
	for i, file := range o.CRLFiles {
		if file == "" {
			report(fmt.Sprintf("crl_files[%d]", i), "is empty: a file with a revocation list")
		}
	}
}
