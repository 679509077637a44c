package origin_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/origin"
)

// hurry makes timeouts short enough to wait for, and tries once.
func hurry(o *origin.Options) {
	o.ConnectTimeout = 300 * time.Millisecond
	o.FirstByteTimeout = 300 * time.Millisecond
	o.IdleTimeout = 300 * time.Millisecond
	o.Retry.Max = 0
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		handle func(net.Conn)
		kind   origin.ErrorType
		status int
	}{
		{"closes at once", func(net.Conn) {}, origin.ConnectionTerminated, 502},
		{"closes after the request", readHeader, origin.ConnectionTerminated, 502},
		{"resets after the request", func(c net.Conn) { readHeader(c); reset(c) }, origin.ConnectionTerminated, 502},
		{"says nothing", untilClosed, origin.HTTPResponseTimeout, 504},
		{"no HTTP", answer("SSH-2.0-OpenSSH_9.2\r\n\r\n"), origin.HTTPProtocolError, 502},
		{"bad field", answer("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), origin.HTTPProtocolError, 502},
		{"bad length", answer("HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n"), origin.HTTPProtocolError, 502},
		{"unknown coding", answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: br\r\n\r\n"), origin.HTTPProtocolError, 502},
		{"ends in the header section", answer("HTTP/1.1 200 OK\r\nServer: "), origin.HTTPResponseIncomplete, 502},
		{"endless header section", answer("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 2<<20)), origin.HTTPResponseHeaderSectionSize, 502},
		{"truncated", answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), origin.HTTPResponseIncomplete, 502},
		{"truncated chunk", answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), origin.HTTPResponseIncomplete, 502},
		{"no last chunk", answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), origin.HTTPResponseIncomplete, 502},
		{"reset in the content", func(c net.Conn) {
			answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")(c)
			reset(c)
		}, origin.HTTPResponseIncomplete, 502},
		{"stalls in the content", func(c net.Conn) {
			answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")(c)
			untilClosed(c)
		}, origin.HTTPResponseTimeout, 504},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := serveRaw(t, c.handle)
			b := open(t, hurry, server)
			_, _, err := b.fetch(get(t))
			wantError(t, err, c.kind, c.status)
			wantFailure(t, b, server)
		})
	}
}

// wantFailure checks that exactly one failed fill of server was reported.
func wantFailure(t *testing.T, b *bench, server string) {
	t.Helper()
	fills := b.allFills()
	if len(fills) != 1 || fills[0].OK || fills[0].Detail == "" || !strings.HasSuffix(server, fills[0].Server) {
		t.Errorf("reported %+v, want one failure of %s", fills, server)
	}
	if s := b.Status().Servers[0]; s.LastError == "" {
		t.Error("the status shows no last error")
	}
}

func TestRefused(t *testing.T) {
	server := refused(t)
	b := open(t, hurry, server)
	_, _, err := b.fetch(get(t))
	wantError(t, err, origin.ConnectionRefused, 502)
	wantFailure(t, b, server)
	for _, f := range b.allFills() {
		if !f.Unconnected {
			t.Errorf("reported as %+v", f)
		}
	}
	if places := b.allPlaces(); len(places) == 0 || slices.Contains(places, false) {
		t.Errorf("places at once: %v", places)
	}
}

// A content error stays what it was, however often it is read.
func TestContentErrorStays(t *testing.T) {
	b := open(t, hurry, serveRaw(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")))
	resp, err := b.RoundTrip(get(t))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, first := io.ReadAll(resp.Body)
	_, second := resp.Body.Read(make([]byte, 1))
	if first == nil || !errors.Is(second, first) {
		t.Errorf("first %v, then %v", first, second)
	}
}

// A reader that takes its time is not a server that stalls.
func TestSlowReader(t *testing.T) {
	b := open(t, func(o *origin.Options) { o.IdleTimeout = 50 * time.Millisecond }, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.Copy(w, zeros(1<<20))
	}).URL)
	resp, err := b.RoundTrip(get(t))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	pause := time.NewTimer(150 * time.Millisecond)
	<-pause.C
	if n, err := io.Copy(io.Discard, resp.Body); n != 1<<20-1 || err != nil {
		t.Errorf("got %d octets, %v", n, err)
	}
}

// What the application says about one request is a failed fill; only 502, 503 and 504 say that the server can't serve.
func TestServerErrors(t *testing.T) {
	for status, ejects := range map[int]bool{404: false, 500: false, 501: false, 502: true, 503: true, 504: true, 505: false} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(status)
		})
		b := open(t, func(o *origin.Options) { o.Ejection.Failures = 2 }, s.URL)
		for range 2 {
			if resp, _ := b.must(t, get(t)); resp.StatusCode != status {
				t.Errorf("got %d, want %d as it is", resp.StatusCode, status)
			}
		}
		fills := b.allFills()
		if len(fills) != 2 || fills[0].OK != (status < 500) {
			t.Errorf("%d: reported %+v", status, fills)
		}
		if got := b.Status().Servers[0].State == origin.Ejected; got != ejects {
			t.Errorf("%d twice: ejected %v, want %v", status, got, ejects)
		}
	}
}

func TestTLSFaults(t *testing.T) {
	expired, expiredCA := certificate(t, time.Now().Add(-time.Hour))
	good, goodCA := certificate(t, time.Now().Add(time.Hour))
	for _, c := range []struct {
		name   string
		server *tls.Config
		ca     string
		sni    string
		kind   origin.ErrorType
	}{
		{"expired", &tls.Config{Certificates: []tls.Certificate{expired}}, expiredCA, "", origin.TLSCertificateError},
		{"unknown authority", &tls.Config{Certificates: []tls.Certificate{good}}, expiredCA, "", origin.TLSCertificateError},
		{"wrong name", &tls.Config{Certificates: []tls.Certificate{good}}, goodCA, "other.example.com", origin.TLSCertificateError},
		{"alert: too old", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, goodCA, "", origin.TLSAlertReceived},
		{"alert: wants a certificate", &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert}, goodCA, "", origin.TLSAlertReceived},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(describe))
			s.TLS = c.server
			s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
			s.StartTLS()
			t.Cleanup(s.Close)
			b := open(t, func(o *origin.Options) { hurry(o); o.TLS = origin.TLSOptions{CAFile: c.ca, ServerName: c.sni} }, s.URL)
			_, _, err := b.fetch(get(t))
			wantError(t, err, c.kind, 502)
		})
	}
	t.Run("no TLS", func(t *testing.T) {
		plain := serve(t, describe)
		b := open(t, hurry, strings.Replace(plain.URL, "http:", "https:", 1))
		_, _, err := b.fetch(get(t))
		wantError(t, err, origin.TLSProtocolError, 502)
	})
	t.Run("handshake never answered", func(t *testing.T) {
		silent := serveRaw(t, untilClosed)
		b := open(t, hurry, strings.Replace(silent, "http:", "https:", 1))
		_, _, err := b.fetch(get(t))
		wantError(t, err, origin.ConnectionTimeout, 504)
	})
}

// certificate makes a certificate of its own authority for 127.0.0.1.
func certificate(t *testing.T, until time.Time) (_ tls.Certificate, caFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: until.String()},
		NotBefore: until.Add(-24 * time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, writeCA(t, der)
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]origin.Options{
		"no servers":  {},
		"no CA file":  {Servers: []string{"http://127.0.0.1"}, TLS: origin.TLSOptions{CAFile: "testdata/none.pem"}},
		"not PEM":     {Servers: []string{"http://127.0.0.1"}, TLS: origin.TLSOptions{CAFile: "faults_test.go"}},
		"no base URL": {Servers: []string{"http://bad host"}},
	} {
		_, err := origin.New("shop", o, nil, nil, slog.New(slog.DiscardHandler))
		if err == nil || !strings.HasPrefix(err.Error(), "origins.shop.") {
			t.Errorf("%s: got %v, want an error that names the key", name, err)
		}
	}
}

// A client's content that fails is the client's doing: its error comes back as it is, and nothing is reported.
func TestClientContentFails(t *testing.T) {
	b := open(t, nil, serve(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }).URL)
	broken := errors.New("broken")
	pr, pw := io.Pipe()
	_ = pw.CloseWithError(broken)
	if _, _, err := b.fetch(request(t, http.MethodPost, pr)); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if fills := b.allFills(); len(fills) != 0 {
		t.Errorf("reported %v", fills)
	}
}

// A server that goes in the middle of a content ends the request as soon as the client sends more: net/http waits for its
// writer, which waits for the client.
func TestServerGoesDuringUpload(t *testing.T) {
	b := open(t, hurry, serveRaw(t, func(c net.Conn) { readHeader(c); reset(c) }))
	pr, pw := io.Pipe()
	go func() {
		for { // until the pool closes the content
			if _, err := io.WriteString(pw, "some"); err != nil {
				return
			}
		}
	}()
	_, _, err := b.fetch(request(t, http.MethodPost, pr))
	wantError(t, err, origin.ConnectionTerminated, 502)
	if fills := b.allFills(); len(fills) != 1 {
		t.Errorf("reported %v, want the server's failure", fills)
	}
}
