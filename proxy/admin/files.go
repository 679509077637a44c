package admin

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// files is what the files that Options names hold.
type files struct {
	token string
	tls   *tls.Config // nil without CertFile
}

// CheckFiles reads the files that o names and reports every one that doesn't serve, as New would; key is that of the
// option.
func (o *Options) CheckFiles(report func(key, problem string)) {
	o.read(report)
}

func (o *Options) readFiles() (files, error) {
	var errs []error
	f := o.read(func(key, problem string) { errs = append(errs, fmt.Errorf("admin.%s: %s", key, problem)) })
	return f, errors.Join(errs...)
}

func (o *Options) read(report func(key, problem string)) (f files) {
	if o.TokenFile != "" {
		f.token = readToken(o.TokenFile, report)
	}
	if o.CertFile == "" {
		return f
	}
	pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
	if err != nil {
		report("cert_file", fmt.Sprintf("%s with key_file %s: %v", o.CertFile, o.KeyFile, err))
	}
	f.tls = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if o.ClientCAFile != "" {
		f.tls.ClientAuth, f.tls.ClientCAs = tls.RequireAndVerifyClientCert, readAuthorities(o.ClientCAFile, report)
	}
	return f
}

func readToken(file string, report func(key, problem string)) string {
	b, err := os.ReadFile(file)
	if err != nil {
		report("token_file", err.Error())
		return ""
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		report("token_file", file+" is empty: put a random token into it")
	}
	return token
}

func readAuthorities(file string, report func(key, problem string)) *x509.CertPool {
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(file)
	switch {
	case err != nil:
		report("client_ca_file", err.Error())
	case !pool.AppendCertsFromPEM(pem):
		report("client_ca_file", file+" holds no PEM certificate")
	}
	return pool
}
