package edgetls

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// entry is one certificate with where it came from.
type entry struct {
	cert  *tls.Certificate // Leaf is set
	files CertificateFiles // empty for one that came from no file
	// authority is set for a managed one.
	authority string
}

// CertificateInfo describes a certificate that is served.
type CertificateInfo struct {
	File      string    `json:"file,omitempty"`      // empty for one that came from no file
	Authority string    `json:"authority,omitempty"` // where one came from that was obtained by ACME
	Names     []string  `json:"names"`               // host names and addresses
	Issuer    string    `json:"issuer"`
	Key       string    `json:"key"` // "ECDSA P-256", "RSA 2048", "Ed25519"
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	// Warning says what clients will object to, now; such a certificate is served all the same.
	Warning string `json:"warning,omitempty"`
}

func newEntry(cert *tls.Certificate) (*entry, error) {
	if len(cert.Certificate) == 0 || cert.PrivateKey == nil {
		return nil, errors.New("add a certificate: it needs the certificate and its private key")
	}
	if cert.Leaf == nil {
		leaf, err := x509.ParseCertificate(cert.Certificate[0])
		if err != nil {
			return nil, fmt.Errorf("add a certificate: %w", err)
		}
		cert.Leaf = leaf
	}
	return &entry{cert: cert}, nil
}

// names are the host names that SNI is compared with, in lower case. A certificate without any is served by its common
// name, as its owner surely means, though clients no longer look at that (RFC 9525, section 2).
func (e *entry) names() []string {
	names := e.cert.Leaf.DNSNames
	if len(names) == 0 && len(e.cert.Leaf.IPAddresses) == 0 {
		names = []string{e.cert.Leaf.Subject.CommonName}
	}
	lower := make([]string, len(names))
	for i, n := range names {
		lower[i] = strings.ToLower(strings.TrimSuffix(n, "."))
	}
	return lower
}

// cost orders certificates by the CPU that a signature takes: RSA 2048 about ten times that of the others.
func (e *entry) cost() int {
	if _, ok := e.cert.Leaf.PublicKey.(*rsa.PublicKey); ok {
		return 1
	}
	return 0
}

func (e *entry) info() CertificateInfo {
	leaf := e.cert.Leaf
	i := CertificateInfo{
		File: e.files.Cert, Authority: e.authority, Names: e.names(), Issuer: leaf.Issuer.String(), Key: keyName(leaf.PublicKey),
		NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Warning: warning(leaf, time.Now()),
	}
	for _, ip := range leaf.IPAddresses {
		i.Names = append(i.Names, ip.String())
	}
	return i
}

func keyName(public any) string {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("%T", public)
}

// warning is what clients object to at now, or nothing.
func warning(leaf *x509.Certificate, now time.Time) string {
	switch {
	case now.After(leaf.NotAfter):
		return "expired " + leaf.NotAfter.UTC().Format(time.RFC3339) + ": renew it"
	case now.Before(leaf.NotBefore):
		return "not valid before " + leaf.NotBefore.UTC().Format(time.RFC3339) + ": is the clock right?"
	case len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0:
		return "has no subject alternative name: clients ignore the common name"
	}
	return ""
}
