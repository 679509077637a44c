package probe_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health/probe"
)

func TestChecksOfOurselves(t *testing.T) {
	s := edge(t, selfSigned(t, "shop.example.com"), answer("ams-1"))
	unnamed := s
	unnamed.ServerName = "" // a VIP whose sites take every name
	round := func() {
		for _, s := range []probe.Self{s, unnamed} {
			for name, check := range checks(s) {
				if err := check(limited(t, patience)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	round() // the server's own goroutines are there after that
	noLeak(t, func() {
		for range 5 {
			round()
		}
	})
}

func TestNothingToCheck(t *testing.T) {
	for name, check := range checks(probe.Self{VIP: "dns"}) {
		if err := check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnswersOfOthers(t *testing.T) {
	status := func(code int, name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if name != "" {
				w.Header().Set(field, name)
			}
			w.WriteHeader(code)
		})
	}
	for want, h := range map[string]http.Handler{
		"answered by node fra-2: the address leads away from this host": answer("fra-2"),
		"answered 421 without the field Anyedge-Self":                   status(421, ""),
		"answered 200, not 204":                                         status(200, "ams-1"),
	} {
		s := edge(t, selfSigned(t, "shop.example.com"), h)
		for name, check := range checks(s) {
			if err := check(limited(t, patience)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
	}
}

func TestWrongTokenIsNotOurs(t *testing.T) {
	s := edge(t, selfSigned(t, "shop.example.com"), answer("ams-1"))
	s.Token = "of the process before"
	for name, check := range checks(s) {
		if err := check(limited(t, patience)); err == nil || !strings.Contains(err.Error(), "answered 421") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCertificateMustCoverTheName(t *testing.T) {
	s := edge(t, selfSigned(t, "img.example.com"), answer("ams-1"))
	for _, name := range []string{"https", "h3"} {
		err := checks(s)[name](limited(t, patience))
		if err == nil || !strings.Contains(err.Error(), "no certificate covers shop.example.com") ||
			!strings.Contains(err.Error(), "img.example.com") {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, s.CheckPlain(limited(t, patience)))
}

// dated is a certificate that is valid between two times from now.
func dated(t *testing.T, from, to time.Duration) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"shop.example.com"},
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestCertificateDates(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to time.Duration
		want     string // empty: fine
	}{
		{"expired", -time.Hour, -time.Minute, "the certificate of shop.example.com expired "},
		{"too early", time.Minute, time.Hour, "is not valid before "},
		{"about to expire", -time.Hour, time.Minute, ""},
	} {
		s := edge(t, dated(t, c.from, c.to), answer("ams-1"))
		for _, name := range []string{"https", "h3"} {
			err := checks(s)[name](limited(t, patience))
			if c.want == "" {
				must(t, err)
			} else if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %s: %v, want %q", c.name, name, err, c.want)
			}
		}
	}
}

func TestNothingListens(t *testing.T) {
	s := probe.Self{HTTPS: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), freePort(t))}
	err := s.Check(limited(t, patience))
	want := "self check of https at " + s.HTTPS.String() + ": dial tcp "
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "nothing listens there") {
		t.Errorf("%v, want %q", err, want)
	}
}

// An address that isn't this host's fails before a packet leaves: it would reach another node, and carry the token there.
func TestElsewhere(t *testing.T) {
	elsewhere := netip.MustParseAddrPort("198.51.100.77:443")
	s := probe.Self{HTTPS: elsewhere, HTTP: elsewhere, QUIC: elsewhere, ServerName: "shop.example.com"}
	for name, check := range checks(s) {
		err := check(limited(t, patience))
		if err == nil || !errors.Is(err, syscall.EADDRNOTAVAIL) || !strings.Contains(err.Error(), "ip address add 198.51.100.77/32 dev lo") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoAnswerInTime(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	must(t, err)
	defer ln.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	defer udp.Close()
	tcp := ln.Addr().(*net.TCPAddr).AddrPort()
	s := probe.Self{HTTPS: tcp, HTTP: tcp, QUIC: udp.LocalAddr().(*net.UDPAddr).AddrPort(), ServerName: "shop.example.com"}
	noLeak(t, func() {
		for name, check := range checks(s) {
			begin := time.Now()
			err := check(limited(t, 50*time.Millisecond))
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "ip address add 127.0.0.1/32 dev lo") {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(begin); took > patience/2 {
				t.Errorf("%s took %v", name, took)
			}
		}
	})
}

func TestNoTLSThere(t *testing.T) {
	s := edge(t, selfSigned(t, "shop.example.com"), answer("ams-1"))
	s.HTTPS = s.HTTP
	if err := s.Check(limited(t, patience)); err == nil || !strings.Contains(err.Error(), "tls handshake") {
		t.Errorf("%v", err)
	}
}

func TestEndlessAnswer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	go func() { // ends when the check closes its connection
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for err == nil {
			_, err = c.Write([]byte(strings.Repeat("x", 1<<10)))
		}
	}()
	s := probe.Self{HTTP: ln.Addr().(*net.TCPAddr).AddrPort()}
	if err := s.CheckPlain(limited(t, patience)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want an end before the deadline", err)
	}
}
