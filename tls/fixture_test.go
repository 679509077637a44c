package edgetls_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	edgetls "github.com/anyedge/anyedge/tls"
)

// rsaKey is made once: it takes long.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return k
}

// issue makes a certificate of key for hosts, the first of which is its common name; adjust may change the rest.
func issue(t *testing.T, key crypto.Signer, hosts []string, adjust ...func(*x509.Certificate)) []byte {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	if len(hosts) > 0 {
		c.Subject = pkix.Name{CommonName: hosts[0]}
	}
	for _, f := range adjust {
		f(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(t, err)
	return der
}

func pemOf(kind string, blocks ...[]byte) []byte {
	var out []byte
	for _, b := range blocks {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b})...)
	}
	return out
}

func pemKey(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return pemOf("PRIVATE KEY", der)
}

// files writes a certificate for hosts with its key into a new directory.
func files(t *testing.T, key crypto.Signer, hosts ...string) edgetls.CertificateFiles {
	t.Helper()
	dir := t.TempDir()
	f := edgetls.CertificateFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	write(t, f.Cert, pemOf("CERTIFICATE", issue(t, key, hosts)))
	write(t, f.Key, pemKey(t, key))
	return f
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	must(t, os.WriteFile(path, data, 0o600))
}

func options(list ...edgetls.CertificateFiles) edgetls.Options {
	return edgetls.Options{MinVersion: "1.2", Certificates: list}
}

func load(t *testing.T, list ...edgetls.CertificateFiles) *edgetls.Store {
	t.Helper()
	s, err := edgetls.Load(options(list...))
	must(t, err)
	return s
}

// handshake shakes hands with server over loopback and returns what the client sees.
func handshake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	must(t, err)
	defer ln.Close()
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() {
		if c, err := ln.Accept(); err == nil {
			_, _ = c.Write([]byte("x")) // carries the tickets along
			_ = c.Close()
		}
	})
	client = client.Clone()
	client.InsecureSkipVerify = client.RootCAs == nil
	c, err := tls.Dial("tcp", ln.Addr().String(), client)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	_, err = io.ReadFull(c, make([]byte, 1))
	return c.ConnectionState(), err
}

// servedName is the common name of the certificate that s serves for serverName.
func servedName(t *testing.T, s *edgetls.Store, serverName string) string {
	t.Helper()
	state, err := handshake(t, s.Config(), &tls.Config{ServerName: serverName})
	must(t, err)
	return state.PeerCertificates[0].Subject.CommonName
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// authority is the certificate of an authority with that key, in PEM.
func authority(tb testing.TB, key crypto.Signer) []byte {
	tb.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return pemOf("CERTIFICATE", der)
}
