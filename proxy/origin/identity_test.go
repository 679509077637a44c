package origin_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/proxy/origin"
	edgetls "github.com/anyedge/anyedge/tls"
)

// writeIdentity writes a new certificate for name and its key.
func writeIdentity(t *testing.T, cert, key, name string) {
	t.Helper()
	pair, _, err := edgetls.SelfSigned(name)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		key: {Type: "PRIVATE KEY", Bytes: der}, cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
	} {
		if err := os.WriteFile(file+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
}

// A server that asks for a certificate gets the one that the files have now, over H1 and H2; a new one begins a session of
// its own.
func TestIdentity(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close") // a later request comes by another; over H2 this sends GOAWAY
			w.Header().Set("From", r.RemoteAddr)
			w.Header().Set("Resumed", map[bool]string{true: "yes", false: "no"}[r.TLS.DidResume])
			_, _ = io.WriteString(w, r.Proto+" "+r.TLS.PeerCertificates[0].Subject.CommonName)
		}))
		s.EnableHTTP2 = true
		s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
		s.StartTLS()
		t.Cleanup(s.Close)
		dir := t.TempDir()
		ca, cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		writeIdentity(t, cert, key, "first")
		p := open(t, func(o *origin.Options) {
			o.HTTP2 = h2
			o.TLS = origin.TLSOptions{CAFile: ca, ServerName: "example.com", Cert: cert, Key: key}
		}, s.URL)
		last := ""
		ask := func() (content, resumed string) {
			t.Helper()
			for { // by another connection: GOAWAY may come later than the next request goes
				resp, err := p.RoundTrip(httptest.NewRequest(http.MethodGet, "/", nil))
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				if from := resp.Header.Get("From"); from != last {
					last = from
					return string(b), resp.Header.Get("Resumed")
				}
			}
		}
		proto := map[bool]string{false: "HTTP/1.1 ", true: "HTTP/2.0 "}[h2]
		step := func(what, want, wantResumed string) {
			t.Helper()
			if content, resumed := ask(); content != proto+want || resumed != wantResumed {
				t.Errorf("%s: %q, resumed %s; want %q, %s", what, content, resumed, proto+want, wantResumed)
			}
		}
		step("at first", "first", "no")
		step("again", "first", "yes")
		writeIdentity(t, cert, key, "second")
		step("after a change", "second", "no")
		if err := os.WriteFile(key, []byte("half a k"), 0o600); err != nil {
			t.Fatal(err)
		}
		step("with a broken file", "second", "yes")
		if got := p.Identity().Subject.CommonName; got != "second" {
			t.Errorf("identity %s", got)
		}
		writeIdentity(t, cert, key, "third")
		step("after the next change", "third", "no")
	}
}

func TestIdentityMistakes(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeIdentity(t, cert, key, "x")
	for name, tt := range map[string]struct {
		o    origin.TLSOptions
		want string
	}{
		"no file":     {origin.TLSOptions{Cert: cert, Key: filepath.Join(dir, "none")}, "origins.shop.tls: read the key"},
		"another key": {origin.TLSOptions{Cert: cert, Key: cert}, "holds no private key"},
	} {
		o := origin.Options{Servers: []string{"https://127.0.0.1"}, TLS: tt.o}
		if _, err := origin.New("shop", o, nil, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	for key, o := range map[string]origin.TLSOptions{"tls.key": {Cert: "x"}, "tls.cert": {Key: "x"}} {
		var all origin.Options
		all.SetDefaults()
		all.Servers, all.TLS = []string{"https://192.0.2.1"}, o
		var keys []string
		all.Check(func(key, _ string) { keys = append(keys, key) })
		if len(keys) != 1 || keys[0] != key {
			t.Errorf("mistakes at %q, want %s", keys, key)
		}
	}
}
