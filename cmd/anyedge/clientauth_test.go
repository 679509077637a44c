package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clientsCA is an authority of clients in the directory of a node's file.
type clientsCA struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newClientsCA(t *testing.T, dir string) *clientsCA {
	t.Helper()
	c := &clientsCA{t: t, dir: dir}
	var err error
	if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, c.key.Public(), c.key)
	if err != nil {
		t.Fatal(err)
	}
	c.cert, _ = x509.ParseCertificate(der)
	c.write("clients.pem", "CERTIFICATE", der)
	c.revoke()
	return c
}

func (c *clientsCA) write(name, kind string, der []byte) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// revoke writes the list of revoked serials.
func (c *clientsCA) revoke(serials ...int64) {
	c.t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, s := range serials {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(s), RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, c.cert, c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write("clients.crl", "X509 CRL", der)
}

func (c *clientsCA) issue(serial int64) tls.Certificate {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprint("client ", serial)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, c.cert, key.Public(), c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A node all of whose sites ask for certificates checks itself all the same, and follows the revocation list.
func TestClientCertificates(t *testing.T) {
	e := newEdge(t)
	dir := filepath.Dir(e.file)
	ca := newClientsCA(t, dir)
	e.replace = []string{"origin: shop}\n", fmt.Sprintf("origin: shop, client_certificates: {ca_file: %s/clients.pem, crl_files: [%s/clients.crl]}}\n", dir, dir)}
	e.write(e.configText())
	e.begin()
	e.awaitAnnounced()
	ask := func(certs ...tls.Certificate) (int, error) {
		config := &tls.Config{ServerName: "shop.example.com", InsecureSkipVerify: true, Certificates: certs}
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: 10 * time.Second}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/", e.https), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "shop.example.com"
		resp, err := c.Do(r)
		if err != nil {
			return 0, err
		}
		_ = resp.Body.Close()
		return resp.StatusCode, nil
	}
	if status, err := ask(); err == nil {
		t.Errorf("without a certificate: %d", status)
	}
	alice := ca.issue(7)
	if status, err := ask(alice); status != 200 {
		t.Errorf("with one: %d, %v", status, err)
	}
	ca.revoke(7)
	e.await("the list counts", func() bool {
		_, err := ask(alice)
		return err != nil
	})
	e.replace[1] = strings.Replace(e.replace[1], "clients.crl", "none.crl", 1)
	e.write(e.configText())
	if err := e.node.Reload(); err == nil || !strings.Contains(err.Error(), "sites.shop.client_certificates") {
		t.Errorf("a reload without the list: %v", err)
	}
}
