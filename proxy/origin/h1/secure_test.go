package h1_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestOverTLS has all that depends on the connection hold over TLS.
func TestOverTLS(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"framing": TestFraming, "trailers": TestTrailers, "interim": TestInterim, "unasked": TestAnswerThatNobodyAskedFor,
		"stale": TestStaleConnection, "context": TestContextEnds, "first byte": TestFirstByte, "deadlines": TestDeadlinesStay,
		"large": TestLargeRequest, "idle content": TestIdleContent, "buffered": TestBuffered, "close": TestClose, "idle": TestIdle,
	} {
		t.Run(name, test)
	}
}

// isSecure tells whether s speaks TLS, as the server of a test that is a part of TestOverTLS.
func (s *script) isSecure() bool { return strings.HasPrefix(s.t.Name(), "TestOverTLS") }

func (s *script) secured(c net.Conn) net.Conn {
	if !s.isSecure() {
		return c
	}
	return tls.Server(c, certified())
}

func certified() *tls.Config {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}
}

// gathering is a connection that may keep back what is written.
type gathering struct {
	net.Conn
	mu    sync.Mutex // guards the following fields
	holds bool
	held  []byte
}

func (g *gathering) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.holds {
		return g.Conn.Write(p)
	}
	g.held = append(g.held, p...)
	return len(p), nil
}

func (g *gathering) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds = true
}

func (g *gathering) release() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds = false
	_, err := g.Conn.Write(g.held)
	return err
}

// TestOverTLSReadAhead has another response come together with the first, in a record of its own, which TLS has then read
// already.
func TestOverTLSReadAhead(t *testing.T) {
	s := serve(t, ok)
	dialed := s.client()
	dialed.Dial = func(context.Context) (net.Conn, error) {
		client, server := net.Pipe()
		g := &gathering{Conn: server}
		t.Cleanup(func() { _ = g.Close() })
		go s.twice(g) // ends with client
		return client, nil
	}
	first := ask(t.Context(), t, dialed, "GET")
	if second := ask(t.Context(), t, dialed, "GET"); first.content != "ok" || second.content != "ok" || second.reused {
		t.Errorf("%+v, then %+v", first, second)
	}
}

// twice answers a request with two responses, of two records and one write.
func (s *script) twice(g *gathering) {
	c := tls.Server(g, certified())
	if _, err := c.Read(make([]byte, 1000)); err != nil {
		return
	}
	g.hold()
	_, _ = io.WriteString(c, ok)
	_, _ = io.WriteString(c, strings.Replace(ok, "ok", "no", 1))
	_ = g.release()
	_, _ = c.Read(make([]byte, 1))
}

// TestOverTLSHandshake has servers that can't be spoken to.
func TestOverTLSHandshake(t *testing.T) {
	t.Run("silent", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer ln.Close()
		s := &script{t: t, ln: ln}
		c := s.client()
		c.Handshake = 50 * time.Millisecond
		if o := ask(t.Context(), t, c, "GET"); !errors.Is(o.err, context.DeadlineExceeded) {
			t.Errorf("%+v", o)
		}
		c.Handshake = patience
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if o := ask(ctx, t, c, "GET"); !errors.Is(o.err, context.DeadlineExceeded) {
			t.Errorf("%+v", o)
		}
	})
	t.Run("not trusted", func(t *testing.T) {
		c := serve(t, ok).client()
		c.TLS = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "example.com"}
		var certificate *tls.CertificateVerificationError
		if o := ask(t.Context(), t, c, "GET"); !errors.As(o.err, &certificate) {
			t.Errorf("%+v", o)
		}
	})
	t.Run("without TLS", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer ln.Close()
		go func() { // ends with ln
			if c, err := ln.Accept(); err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}
		}()
		var record tls.RecordHeaderError
		if o := ask(t.Context(), t, (&script{t: t, ln: ln}).client(), "GET"); !errors.As(o.err, &record) {
			t.Errorf("%+v", o)
		}
	})
}
