package hitpath

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
)

// counted is a client's connection below TLS, as listener has it, which counts how often it is written to.
type counted struct {
	net.Conn
	held    bytes.Buffer
	holding bool
	writes  int
}

func (c *counted) Write(p []byte) (int, error) {
	if c.holding {
		return c.held.Write(p)
	}
	c.writes++
	return c.Conn.Write(p)
}

func (c *counted) Hold() { c.holding = true }

func (c *counted) Release() error {
	c.holding = false
	if c.held.Len() == 0 {
		return nil
	}
	_, err := c.Write(c.held.Next(c.held.Len()))
	return err
}

// TestAnswerIsOneWrite: an answer of up to a record leaves in one write, also while crypto/tls makes small records, and so
// does a larger one that is written at once.
func TestAnswerIsOneWrite(t *testing.T) {
	var wire *counted
	client, server := tlsPair(t, func(c net.Conn) net.Conn {
		wire = &counted{Conn: c}
		return wire
	})
	s := turnConn().server
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size := 10 << 10
		if r.URL.Path == "/large" {
			size = 40 << 10
		}
		announce(w, size)
		say(w, size)
	})
	s.HeaderTimeout = limit
	served := make(chan net.Conn, 1)
	go func() { served <- s.NewConn(server, wire).Serve() }()
	asked, before := 0, wire.writes
	r := bufio.NewReader(client)
	for range 20 { // more than boosted in all
		for _, path := range []string{"/", "/large"} {
			asked++
			if _, err := io.WriteString(client, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != resp.ContentLength {
				t.Fatal(n, err)
			}
		}
	}
	_ = client.Close()
	<-served
	if n := wire.writes - before; n > asked+1 { // and close_notify
		t.Errorf("%d answers in %d writes", asked, n)
	}
}
