package acme_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/crypto/ocsp"

	"github.com/anyedge/anyedge/tls/acme"
	"github.com/anyedge/anyedge/tls/acme/acmetest"
)

// responder is an authority that still has OCSP, with the certificate that it vouches for. Pebble hasn't.
type responder struct {
	*httptest.Server

	issuer *x509.Certificate
	key    crypto.Signer
	leaf   *x509.Certificate
	life   time.Duration // of its answers
	asked  atomic.Int64
	down   atomic.Bool
}

func startResponder(t *testing.T, name string) (r *responder, cert, key []byte) {
	t.Helper()
	r = &responder{life: 24 * time.Hour}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	var issuerDER []byte
	r.issuer, r.key, issuerDER = certify(t, ca, nil, nil)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(900 * time.Hour),
		OCSPServer: []string{r.URL}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	parsed, signer, der := certify(t, leaf, r.issuer, r.key)
	r.leaf = parsed
	for _, d := range [][]byte{der, issuerDER} {
		cert = append(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d})...)
	}
	text, err := x509.MarshalPKCS8PrivateKey(signer)
	must(t, err)
	return r, cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

// certify signs a certificate, by itself where there is no issuer.
func certify(t *testing.T, template, issuer *x509.Certificate, by crypto.Signer) (*x509.Certificate, crypto.Signer, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	if issuer == nil {
		issuer, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), by)
	must(t, err)
	c, err := x509.ParseCertificate(der)
	must(t, err)
	return c, key, der
}

// ServeHTTP answers that the certificate is good.
func (r *responder) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	r.asked.Add(1)
	if r.down.Load() {
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	now := time.Now()
	answer, err := ocsp.CreateResponse(r.issuer, r.issuer, ocsp.Response{
		Status: ocsp.Good, SerialNumber: r.leaf.SerialNumber, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(r.life),
	}, r.key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(answer) // who has gone asks again
}

// staple is what a client gets with the certificate, over TCP or QUIC.
func staple(ctx context.Context, f *front, name string, overQUIC bool) []byte {
	config := &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"test"}}
	if !overQUIC {
		config.NextProtos = nil
		c, err := tls.Dial("tcp", f.tls.Addr().String(), config)
		if err != nil {
			return nil
		}
		defer c.Close()
		return c.ConnectionState().OCSPResponse
	}
	server := f.store.Config()
	server.NextProtos = []string{"test"}
	l, err := quic.ListenAddr("127.0.0.1:0", server, nil)
	if err != nil {
		return nil
	}
	defer l.Close()
	c, err := quic.DialAddr(ctx, l.Addr().String(), config, nil)
	if err != nil {
		return nil
	}
	defer func() { _ = c.CloseWithError(0, "") }()
	return c.ConnectionState().TLS.OCSPResponse
}

// withResponder is a front that has stored a certificate for host whose status a responder tells. Nobody manages it yet.
func withResponder(t *testing.T, host string) (*front, *authority, acme.Options, *responder) {
	t.Helper()
	f := startFront(t)
	ca := startCA(t, f, acmetest.Options{})
	o := options(t, ca)
	m := start(t, f, o, host)
	await(t, "a certificate", func() bool { return f.served(host) != nil })
	m.end()
	r, cert, key := startResponder(t, host)
	writeFile(t, storedFile(t, o, host, ".crt"), cert)
	writeFile(t, storedFile(t, o, host, ".key"), key)
	return f, ca, o, r
}

// TestOCSP: what the responder says is stapled over TCP and QUIC, asked for again before it ends, and kept over a restart
// while the responder is down.
func TestOCSP(t *testing.T) {
	t.Parallel()
	const host = "shop.example.com"
	f, ca, o, r := withResponder(t, host)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	good := func(overQUIC bool) bool {
		answer, err := ocsp.ParseResponseForCert(staple(ctx, f, host, overQUIC), r.leaf, r.issuer)
		return err == nil && answer.Status == ocsp.Good
	}
	m := start(t, f, o, host)
	await(t, "its answer over TCP", func() bool { return good(false) })
	await(t, "its answer over QUIC", func() bool { return good(true) })
	await(t, "status", func() bool { return m.of(host).State == acme.Good })
	m.end()

	// Kept over a restart.
	r.down.Store(true)
	must(t, f.store.SetManaged(nil))
	m = start(t, f, o, host)
	await(t, "what was stored of it", func() bool { return good(false) && good(true) })
	m.end()
	if n := ca.Orders(); n != 1 {
		t.Errorf("%d orders", n)
	}
}

// TestOCSPIsRenewed: an answer of which half is over is asked for again, and the new one is stapled.
func TestOCSPIsRenewed(t *testing.T) {
	t.Parallel()
	const host = "shop.example.com"
	f, _, o, r := withResponder(t, host)
	r.life = 30 * time.Second // half is over from the start
	start(t, f, o, host)
	var first []byte
	await(t, "an answer", func() bool { first = staple(t.Context(), f, host, false); return len(first) > 0 })
	await(t, "another one", func() bool {
		next := staple(t.Context(), f, host, false)
		return len(next) > 0 && !bytes.Equal(next, first)
	})
	if r.asked.Load() < 2 {
		t.Error("it was asked once")
	}
}
