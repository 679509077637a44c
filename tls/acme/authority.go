package acme

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"strings"

	acmeproto "github.com/mholt/acmez/v3/acme"
)

// CheckFiles reports every file that is named and can't be read, or has not what it should have.
func (o *Options) CheckFiles(report func(key, problem string)) {
	for i, a := range o.Authorities {
		if _, err := a.roots(); err != nil {
			report(fmt.Sprintf("authorities[%d].root_file", i), err.Error())
		}
		if _, err := a.binding(); err != nil {
			report(fmt.Sprintf("authorities[%d].hmac_key_file", i), err.Error())
		}
	}
	for i := range o.DNS {
		o.DNS[i].CheckFiles(func(key, problem string) { report(fmt.Sprintf("dns[%d].%s", i, key), problem) })
	}
	if o.Redis != nil {
		o.Redis.CheckFiles(func(key, problem string) { report("redis."+key, problem) })
	}
	if info, err := os.Stat(o.Storage); err == nil && !info.IsDir() {
		report("storage", o.Storage+" is not a directory")
	}
}

// roots are the authorities that may vouch for the authority's server; nil: the system's.
func (a *Authority) roots() (*x509.CertPool, error) {
	if a.RootFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(a.RootFile)
	if err != nil {
		return nil, fmt.Errorf("read the root certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read the root certificates: %s has none in PEM", a.RootFile)
	}
	return pool, nil
}

// binding is what ties the account to one that the authority knows; nil: nothing. Errors don't quote the key.
func (a *Authority) binding() (*acmeproto.EAB, error) {
	if a.HMACKeyFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(a.HMACKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the key of the external account: %w", err)
	}
	key := strings.TrimRight(strings.TrimSpace(string(text)), "=")
	if b, err := base64.RawURLEncoding.DecodeString(key); err != nil || len(b) == 0 {
		return nil, fmt.Errorf("read the key of the external account: %s must have it in base64url, in one line", a.HMACKeyFile)
	}
	return &acmeproto.EAB{KeyID: a.KeyID, MACKey: key}, nil
}
