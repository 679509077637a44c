package proxy_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"strings"
	"testing"
	"time"
)

// dial opens an H1 connection over TLS.
func (e *edge) dial(t *testing.T) *tls.Conn {
	t.Helper()
	return e.dialAt(t, e.addr)
}

func (e *edge) dialAt(t *testing.T, addr string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: e.roots, ServerName: "example.com", NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // a test that hangs fails
	return conn
}

// raw sends octets on a connection of their own and returns the status of the answer; "" where there is none.
func (e *edge) raw(t *testing.T, octets string) string {
	t.Helper()
	conn := e.dial(t)
	if _, err := io.WriteString(conn, octets); err != nil {
		t.Fatal(err)
	}
	return status(bufio.NewReader(conn))
}

// status reads a status line.
func status(r *bufio.Reader) string {
	line, _ := r.ReadString('\n')
	if parts := strings.SplitN(line, " ", 3); len(parts) == 3 {
		return parts[1]
	}
	return ""
}
