package proxy_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// dial opens an H1 connection over TLS.
func (e *edge) dial(t *testing.T) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", e.addr, &tls.Config{RootCAs: e.roots, ServerName: "example.com", NextProtos: []string{"http/1.1"}})
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

// rawOrigin answers every request with 200 and hands over, octet for octet, what came on each connection.
type rawOrigin struct {
	URL  string
	came chan string
}

func newRawOrigin(t *testing.T) *rawOrigin {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	o := &rawOrigin{URL: "http://" + ln.Addr().String(), came: make(chan string, 16)}
	go func() { // ends with ln
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go o.record(conn) // ends with the connection, at the latest by its deadline
		}
	}()
	return o
}

// record reads until nothing more comes, answering each pause.
func (o *rawOrigin) record(conn net.Conn) {
	defer conn.Close()
	var all strings.Builder
	buf := make([]byte, 64<<10)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := conn.Read(buf)
		all.Write(buf[:n])
		if err != nil {
			break
		}
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	o.came <- all.String()
}
