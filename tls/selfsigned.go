package edgetls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

const (
	selfSignedLife = 90 * 24 * time.Hour
	clockSkew      = time.Hour // a client's clock may be behind ours by that
)

// SelfSigned makes a certificate for hosts (names, wildcards, addresses) that nobody vouches for, in memory, for tries
// and tests. A client trusts it with the second result among its roots. It is valid for 90 days.
func SelfSigned(hosts ...string) (tls.Certificate, *x509.Certificate, error) {
	if len(hosts) == 0 {
		return tls.Certificate{}, nil, errors.New("make a certificate: it needs at least one host")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make a certificate for %s: %w", hosts[0], err)
	}
	template := selfSignedTemplate(hosts, time.Now())
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make a certificate for %s: %w", hosts[0], err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make a certificate for %s: %w", hosts[0], err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, leaf, nil
}

func selfSignedTemplate(hosts []string, now time.Time) *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: hosts[0], Organization: []string{"anyedge self-signed"}},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(selfSignedLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	return t
}
