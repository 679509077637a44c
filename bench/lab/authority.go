//go:build lab

package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// Authority is the lab's own certificate authority.
type Authority struct {
	File string // its certificate, PEM
	Pool *x509.CertPool

	lab  *Lab
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Authority makes one.
func (l *Lab) Authority() *Authority {
	l.Helper()
	a := &Authority{lab: l, key: newKey(l), Pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := sign(l, template, template, a.key, a.key)
	a.cert, _ = x509.ParseCertificate(der) // just made
	a.Pool.AddCert(a.cert)
	a.File = l.write("ca.pem", encode("CERTIFICATE", der))
	return a
}

// Issue makes a certificate for names, addresses among them, and writes it and its key to files.
func (a *Authority) Issue(names ...string) (certFile, keyFile string) {
	a.lab.Helper()
	key := newKey(a.lab)
	var addresses []net.IP
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			addresses = append(addresses, ip)
		}
	}
	der := sign(a.lab, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IPAddresses: addresses,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.cert, key, a.key)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.lab.Fatal(err)
	}
	return a.lab.write(names[0]+".pem", encode("CERTIFICATE", der)), a.lab.write(names[0]+".key", encode("PRIVATE KEY", secret))
}

// Server is a TLS configuration with a certificate for names.
func (a *Authority) Server(names ...string) *tls.Config {
	a.lab.Helper()
	pair, err := tls.LoadX509KeyPair(a.Issue(names...))
	if err != nil {
		a.lab.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
