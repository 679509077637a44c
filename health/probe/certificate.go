package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// tlsConfig is that of a client which looks at the leaf alone.
func (s Self) tlsConfig(protocols ...string) *tls.Config {
	c := &tls.Config{
		MinVersion:             tls.VersionTLS12,
		ServerName:             s.ServerName,
		NextProtos:             protocols,
		InsecureSkipVerify:     true, // VerifyConnection does what can be done without knowing the issuer
		SessionTicketsDisabled: true, // a resumed handshake would not show the certificate
		VerifyConnection:       func(state tls.ConnectionState) error { return s.verify(state, time.Now()) },
	}
	if s.Certificate != nil { // whatever authorities are asked for
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return s.Certificate, nil }
	}
	return c
}

// verify checks the dates and the name of the leaf. One that expires soon is not an error.
func (s Self) verify(state tls.ConnectionState, now time.Time) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("no certificate was sent")
	}
	leaf := state.PeerCertificates[0]
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate of %s expired %s: renew it", subject(leaf), leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate of %s is not valid before %s: is the clock right?",
			subject(leaf), leaf.NotBefore.UTC().Format(time.RFC3339))
	case s.ServerName == "":
		return nil
	}
	if err := leaf.VerifyHostname(s.ServerName); err != nil {
		return fmt.Errorf("no certificate covers %s: add one to tls.certificates: %w", s.ServerName, err)
	}
	return nil
}

func subject(leaf *x509.Certificate) string {
	if len(leaf.DNSNames) > 0 {
		return leaf.DNSNames[0]
	}
	return leaf.Subject.String()
}
