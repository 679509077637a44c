package edgetls_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	edgetls "github.com/anyedge/anyedge/tls"
	"github.com/anyedge/anyedge/tls/clientauth"
)

// hello is the first flight of a client, octet for octet.
func hello(tb testing.TB, config *tls.Config) []byte {
	tb.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		_ = tls.Client(client, config).Handshake() // ends with server
		_ = client.Close()
	}()
	buf := make([]byte, 1<<14)
	_ = server.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, err := server.Read(buf)
	if err != nil {
		tb.Fatal(err)
	}
	return buf[:n]
}

// answerHello lets a server answer a flight of a client that then says no more, and goes if leaves is set.
func answerHello(config *tls.Config, flight []byte, leaves bool) ([]byte, error) {
	client, server := net.Pipe()
	answer := make(chan []byte, 1)
	go func() { // ends when either end is closed
		b, _ := io.ReadAll(client)
		answer <- b
	}()
	go func() { // the same
		_, _ = client.Write(flight)
		if leaves {
			_ = client.Close()
		}
	}()
	_ = server.SetDeadline(time.Now().Add(20 * time.Second)) // nobody should need that
	err := tls.Server(server, config).Handshake()
	_ = server.Close()
	b := <-answer
	_ = client.Close()
	return b, err
}

// full is a server with all that looks at a hello: certificates, ECH, tickets, challenges, and a site that asks for
// certificates.
func full(tb testing.TB) (*tls.Config, *edgetls.ECH) {
	tb.Helper()
	dir := tb.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	k, err := edgetls.NewECH("public.example")
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(dir, "ech.pem")
	if err := k.Create(file); err != nil {
		tb.Fatal(err)
	}
	store, err := edgetls.Load(edgetls.Options{MinVersion: "1.2", Curves: []string{"x25519", "x25519mlkem768", "p256"}, ECHKeys: []string{file}})
	if err != nil {
		tb.Fatal(err)
	}
	pair, leaf, err := edgetls.SelfSigned("shop.example.com", "*.example.com")
	if err != nil {
		tb.Fatal(err)
	}
	if err := store.Add(pair); err != nil {
		tb.Fatal(err)
	}
	store.AnswerChallenges(func(string) *tls.Certificate { return &pair })
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, authority(tb, key), 0o600); err != nil {
		tb.Fatal(err)
	}
	policy, err := clientauth.Load(clientauth.Options{CAFile: ca, Mode: clientauth.Required}, leaf)
	if err != nil {
		tb.Fatal(err)
	}
	return store.ConfigBy(func(h *tls.ClientHelloInfo, base *tls.Config) *tls.Config {
		if strings.HasPrefix(h.ServerName, "private") {
			return policy.Config(base)
		}
		return nil
	}), k
}

// FuzzClientHello lets a server with everything on answer whatever a client says first: it must end with an error, since a
// handshake takes more, and never with a panic.
func FuzzClientHello(f *testing.F) {
	config, k := full(f)
	for _, c := range []*tls.Config{
		{ServerName: "shop.example.com", NextProtos: []string{"h2", "http/1.1"}},
		{ServerName: "PRIVATE.example.com"},
		{ServerName: "private.example.com", MaxVersion: tls.VersionTLS12},
		{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.CurveP521}},
		{ServerName: "shop.example.com", NextProtos: []string{edgetls.ChallengeProtocol}},
		{ServerName: "private.example.com", EncryptedClientHelloConfigList: k.List()},
		{ServerName: "shop.example.com", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
	} {
		f.Add(hello(f, c))
	}
	f.Add([]byte{})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{0x16, 3, 1, 0, 4, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, flight []byte) {
		if len(flight) > 1<<14 {
			t.Skip()
		}
		if _, err := answerHello(config, flight, true); err == nil {
			t.Errorf("a handshake of one flight: %x", flight)
		}
	})
}

// An alert as it goes over the wire, RFC 8446, section 6.
const (
	alertRecord     = 0x15
	protocolVersion = 70
)

// What no client of this century says is refused with an alert: SSL 2 and 3, TLS 1.0 and 1.1.
func TestOldProtocolsAreRefused(t *testing.T) {
	config, _ := full(t)
	ssl3 := []byte{
		0x16, 3, 0, 0, 45, 1, 0, 0, 41, 3, 0, // a record of SSL 3 with a hello of SSL 3
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
		0, 0, 2, 0, 0x0a, 1, 0,
	}
	for name, flight := range map[string][]byte{
		"SSL 2":   {0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, 7, 0, 0xc0, 5, 0, 0x80, 3, 0, 0x80, 1, 0, 0x80, 8, 0, 0x80, 6, 0, 0x40, 4, 0, 0x80, 2, 0, 0x80, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
		"SSL 3":   ssl3,
		"TLS 1.0": hello(t, &tls.Config{ServerName: "shop.example.com", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}),
		"TLS 1.1": hello(t, &tls.Config{ServerName: "shop.example.com", MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11}),
	} {
		answer, err := answerHello(config, flight, false)
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "SSL 2" {
			continue // it has no records, and no alerts as the others have
		}
		if len(answer) != 7 || answer[0] != alertRecord || answer[6] != protocolVersion {
			t.Errorf("%s is answered with %x, want the alert protocol_version", name, answer)
		}
	}
}
