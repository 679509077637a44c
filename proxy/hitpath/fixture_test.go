package hitpath

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"testing"
	"time"
)

type noHits struct{}

func (noHits) Find(*Request, *Answer) bool { return false }

// tlsPair are two ends of a connection, on which a deadline lies. wrap may put something below the server's.
func tlsPair(t *testing.T, wrap ...func(net.Conn) net.Conn) (client, server *tls.Conn) {
	t.Helper()
	certified := httptest.NewTLSServer(nil)
	certified.Close()
	a, b := net.Pipe()
	for _, c := range []net.Conn{a, b} {
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(time.Minute))
	}
	for _, f := range wrap {
		b = f(b)
	}
	client = tls.Client(a, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the certificate isn't what is tested
	server = tls.Server(b, &tls.Config{Certificates: certified.TLS.Certificates})
	shaken := make(chan error, 1)
	go func() { shaken <- client.Handshake() }()
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	return client, server
}
