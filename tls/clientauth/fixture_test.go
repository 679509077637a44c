package clientauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anyedge/anyedge/tls/clientauth"
)

// holder is a certificate with its key.
type holder struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var serial = int64(100)

// issue makes a certificate of by; nil: of itself.
func issue(t *testing.T, name string, by *holder, adjust ...func(*x509.Certificate)) *holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	serial++
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, f := range adjust {
		f(c)
	}
	h := &holder{key: key}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	must(t, err)
	h.cert, err = x509.ParseCertificate(der)
	must(t, err)
	return h
}

func authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil
}

// pair is what a client shows: its certificate and those of between.
func (h *holder) pair(between ...*holder) tls.Certificate {
	p := tls.Certificate{Certificate: [][]byte{h.cert.Raw}, PrivateKey: h.key, Leaf: h.cert}
	for _, b := range between {
		p.Certificate = append(p.Certificate, b.cert.Raw)
	}
	return p
}

// state is a connection whose client has shown its certificate and those of between.
func (h *holder) state(between ...*holder) *tls.ConnectionState {
	s := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{h.cert}}
	for _, b := range between {
		s.PeerCertificates = append(s.PeerCertificates, b.cert)
	}
	return s
}

// bundle writes a file of authorities.
func bundle(t *testing.T, list ...*holder) string {
	t.Helper()
	var data []byte
	for _, h := range list {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.cert.Raw})...)
	}
	return write(t, filepath.Join(t.TempDir(), "ca.pem"), data)
}

// crl writes h's list of what is revoked.
func (h *holder) crl(t *testing.T, file string, due time.Time, revoked ...*holder) string {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-2 * time.Hour), NextUpdate: due}
	for _, r := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: r.cert.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, h.cert, h.key)
	must(t, err)
	return write(t, file, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

func write(t *testing.T, file string, data []byte) string {
	t.Helper()
	must(t, os.WriteFile(file, data, 0o600))
	return file
}

func options(ca string, crls ...string) clientauth.Options {
	var o clientauth.Options
	o.SetDefaults()
	o.CAFile, o.CRLFiles = ca, crls
	return o
}

func load(t *testing.T, o clientauth.Options) *clientauth.Policy {
	t.Helper()
	p, err := clientauth.Load(o, nil)
	must(t, err)
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
