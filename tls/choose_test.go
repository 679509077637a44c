package edgetls_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"testing"

	edgetls "github.com/anyedge/anyedge/tls"
)

func TestCertificateBySNI(t *testing.T) {
	s := load(t,
		files(t, newKey(t), "default.example"),
		files(t, newKey(t), "*.example.com"),
		files(t, newKey(t), "shop.example.com"),
		files(t, newKey(t), "Big.Example.Org", "other.example.org"),
	)
	for name, want := range map[string]string{
		"default.example":     "default.example",
		"shop.example.com":    "shop.example.com", // exact beats wildcard
		"SHOP.example.COM":    "shop.example.com",
		"img.example.com":     "*.example.com",
		"a.img.example.com":   "default.example", // a wildcard is one label
		"example.com":         "default.example",
		"big.example.org":     "Big.Example.Org",
		"other.example.org":   "Big.Example.Org",
		"unknown.example.net": "default.example",
		"localhost":           "default.example",
		"":                    "default.example",
	} {
		if got := servedName(t, s, name); got != want {
			t.Errorf("%q: served %s, want %s", name, got, want)
		}
	}
}

func TestCertificateByAddressWithoutSNI(t *testing.T) {
	s := load(t, files(t, newKey(t), "default.example"), files(t, newKey(t), "127.0.0.1"))
	ln, err := tls.Listen("tcp", "127.0.0.1:0", s.Config())
	must(t, err)
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err == nil {
			_ = c.(*tls.Conn).Handshake()
			_ = c.Close()
		}
	}()
	c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true, ServerName: ""})
	must(t, err)
	defer c.Close()
	if got := c.ConnectionState().PeerCertificates[0].Subject.CommonName; got != "127.0.0.1" {
		t.Errorf("served %s", got)
	}
}

func TestCertificateByWhatTheClientVerifies(t *testing.T) {
	s := load(t, files(t, rsaKey(), "shop.example.com"), files(t, newKey(t), "shop.example.com"))
	for suite, want := range map[uint16]string{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:   "RSA",
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDSA",
	} {
		state, err := handshake(t, s.Config(), &tls.Config{
			ServerName: "shop.example.com", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite},
		})
		must(t, err)
		if got := state.PeerCertificates[0].PublicKeyAlgorithm.String(); got != want {
			t.Errorf("%s: served %s, want %s", tls.CipherSuiteName(suite), got, want)
		}
	}
	state, err := handshake(t, s.Config(), &tls.Config{ServerName: "shop.example.com"})
	must(t, err)
	if state.PeerCertificates[0].PublicKeyAlgorithm != x509.ECDSA {
		t.Error("a client that takes either should get the cheaper, ECDSA")
	}
}

func TestCommonNameServesAsAName(t *testing.T) {
	key := newKey(t)
	f := files(t, key, "x.example")
	write(t, f.Cert, pemOf("CERTIFICATE", issue(t, key, []string{"old.example"}, func(c *x509.Certificate) { c.DNSNames = nil })))
	s := load(t, files(t, newKey(t), "default.example"), f)
	if got := servedName(t, s, "old.example"); got != "old.example" {
		t.Errorf("served %s", got)
	}
	if w := s.Certificates()[1].Warning; !strings.Contains(w, "alternative name") {
		t.Errorf("warning: %q", w)
	}
}

func TestNoCertificateAtAll(t *testing.T) {
	s := load(t)
	if _, err := handshake(t, s.Config(), &tls.Config{ServerName: "shop.example.com"}); err == nil {
		t.Error("served something")
	}
	if _, err := s.Config().GetCertificate(&tls.ClientHelloInfo{}); err == nil || !strings.Contains(err.Error(), "tls.certificates") {
		t.Errorf("GetCertificate: %v", err)
	}
	pair, leaf, err := edgetls.SelfSigned("shop.example.com")
	must(t, err)
	must(t, s.Add(pair))
	if got := servedName(t, s, "shop.example.com"); got != leaf.Subject.CommonName {
		t.Errorf("served %s", got)
	}
}

// manyNames is a store of n names, cheaply: one certificate with all of them would be another thing.
func manyNames(t testing.TB, n int) *edgetls.Store {
	s, err := edgetls.Load(edgetls.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{PublicKey: key.Public()}
	for i := range n {
		leaf.DNSNames = append(leaf.DNSNames, fmt.Sprintf("host-%d.example.com", i), fmt.Sprintf("*.zone-%d.example.com", i))
	}
	if err := s.Add(tls.Certificate{Certificate: [][]byte{{0}}, PrivateKey: key, Leaf: leaf}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLookupDoesNotAllocate(t *testing.T) {
	choose := manyNames(t, 10_000).Config().GetCertificate
	conn, _ := net.Pipe()
	for _, name := range []string{"host-4711.example.com", "a.zone-4711.example.com", "unknown.example.com", ""} {
		hello := &tls.ClientHelloInfo{ServerName: name, Conn: conn}
		if n := testing.AllocsPerRun(100, func() { _, _ = choose(hello) }); n != 0 {
			t.Errorf("%q: %v allocations", name, n)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	choose := manyNames(b, 10_000).Config().GetCertificate
	hello := &tls.ClientHelloInfo{ServerName: "a.zone-4711.example.com"}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = choose(hello)
	}
}
