package admin_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/admin"
)

func TestCheckFilesReportsAll(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	gone := filepath.Join(dir, "gone")
	cert, key := writePair(t, dir)
	for _, c := range []struct {
		name string
		o    admin.Options
		want []string
	}{
		{"none", admin.Options{}, nil},
		{"good", admin.Options{TokenFile: cert, CertFile: cert, KeyFile: key, ClientCAFile: cert}, nil},
		{"all gone", admin.Options{TokenFile: gone, CertFile: gone, KeyFile: gone, ClientCAFile: gone}, []string{"token_file", "cert_file", "client_ca_file"}},
		{"all empty", admin.Options{TokenFile: empty, CertFile: empty, KeyFile: empty, ClientCAFile: empty}, []string{"token_file", "cert_file", "client_ca_file"}},
		{"mixed up", admin.Options{CertFile: key, KeyFile: cert}, []string{"cert_file"}},
	} {
		var got []string
		c.o.CheckFiles(func(key, problem string) {
			got = append(got, key)
			if problem == "" {
				t.Errorf("%s: %s without a problem", c.name, key)
			}
		})
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestClientCertificateIsAskedFor(t *testing.T) {
	dir := t.TempDir()
	cert, key := writePair(t, dir)
	s, err := admin.New(admin.Options{Listen: "127.0.0.1:0", CertFile: cert, KeyFile: key, ClientCAFile: cert},
		&backend{}, health.NewJournal(1), prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()

	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	get := func(own ...tls.Certificate) (*http.Response, error) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: own}}
		defer transport.CloseIdleConnections()
		return (&http.Client{Transport: transport}).Get("https://" + s.Addr().String() + "/v1/status")
	}
	if resp, err := get(); err == nil {
		_ = resp.Body.Close()
		t.Errorf("without a certificate: %s", resp.Status)
	}
	resp, err := get(pair)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("with a certificate: %s", resp.Status)
	}
}

// writePair writes a certificate for 127.0.0.1 that vouches for itself as a server and as a client.
func writePair(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
