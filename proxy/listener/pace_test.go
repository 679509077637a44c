package listener

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// accepted returns the server's side of a TCP connection whose client takes nothing, and as much as fits has been written.
func accepted(t *testing.T) *net.TCPConn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	for chunk := make([]byte, 64<<10); err == nil; { // what is small may still fit behind what isn't
		_ = server.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err = server.Write(chunk); err != nil && len(chunk) > 1 {
			chunk, err = chunk[:len(chunk)/2], nil
		}
	}
	_ = server.SetWriteDeadline(time.Time{})
	return server.(*net.TCPConn)
}

// TestTLSDoesNotWriteForEver: what TLS says of its own accord has a time to be taken, whatever deadline there is, but for one
// that ends writes, and but in a tunnel.
func TestTLSDoesNotWriteForEver(t *testing.T) {
	const idle = 50 * time.Millisecond
	keyUpdate := make([]byte, 27)
	for name, c := range map[string]struct {
		set   func(*conn)
		least time.Duration // that it takes
	}{
		"none":    {func(*conn) {}, idle},
		"passed":  {func(c *conn) { _ = c.SetWriteDeadline(time.Now().Add(idle)); time.Sleep(2 * idle) }, idle},
		"to end":  {func(c *conn) { _ = c.SetWriteDeadline(time.Unix(1, 0)) }, 0},
		"present": {func(c *conn) { _ = c.SetWriteDeadline(time.Now().Add(2 * idle)) }, idle},
		"tunnel":  {func(c *conn) { _ = c.SetDeadline(time.Time{}) }, 4 * idle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := &conn{TCPConn: accepted(t)}
			conn.pace.idle = idle
			c.set(conn)
			if c.least > idle { // as who has taken the connection over ends it
				time.AfterFunc(c.least, func() { _ = conn.SetDeadline(time.Now()) })
			}
			began := time.Now()
			if _, err := conn.Write(keyUpdate); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v", err)
			}
			if took := time.Since(began); took < c.least {
				t.Errorf("cut off after %v", took)
			}
		})
	}
}
