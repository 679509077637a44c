package hitpath

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"testing"
	"time"
)

// silent is a connection on which nothing comes and all that is written is lost.
type silent struct{ net.Conn }

func (silent) Read([]byte) (int, error)         { return 0, io.EOF }
func (silent) Write(p []byte) (int, error)      { return len(p), nil }
func (silent) Close() error                     { return nil }
func (silent) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }
func (silent) SetDeadline(time.Time) error      { return nil }
func (silent) SetReadDeadline(time.Time) error  { return nil }
func (silent) SetWriteDeadline(time.Time) error { return nil }

type unheld struct{}

func (unheld) Hold()          {}
func (unheld) Release() error { return nil }

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
