package origin_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/anyedge/anyedge/proxy/origin"
)

// serveFrames answers each request over H2 without TLS by what handle says for its stream.
func serveFrames(t *testing.T, handle func(f *http2.Framer, c net.Conn, stream uint32)) string {
	t.Helper()
	return serveRaw(t, func(c net.Conn) {
		preface := make([]byte, len(http2.ClientPreface))
		_, _ = io.ReadFull(c, preface)
		f := http2.NewFramer(c, c)
		_ = f.WriteSettings()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if _, asked := frame.(*http2.HeadersFrame); asked {
				handle(f, c, frame.Header().StreamID)
			}
		}
	})
}

// respond says a header section, which is encoded.
func respond(f *http2.Framer, stream uint32, ends bool, block string) {
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte(block), EndHeaders: true, EndStream: ends})
}

// TestFaultsOverH2 is what TestFaults is, over H2.
func TestFaultsOverH2(t *testing.T) {
	const ok, ten = "\x88", "\x88\x0f\x0d\x0210" // hpack: :status 200, and with content-length 10
	for _, c := range []struct {
		name   string
		handle func(f *http2.Framer, c net.Conn, stream uint32)
		kind   origin.ErrorType
		status int
	}{
		{"closes after the request", func(_ *http2.Framer, c net.Conn, _ uint32) { _ = c.Close() }, origin.ConnectionTerminated, 502},
		{"resets after the request", func(_ *http2.Framer, c net.Conn, _ uint32) { reset(c); _ = c.Close() }, origin.ConnectionTerminated, 502},
		{"resets the stream", func(f *http2.Framer, _ net.Conn, stream uint32) {
			_ = f.WriteRSTStream(stream, http2.ErrCodeInternal)
		}, origin.ConnectionTerminated, 502},
		{"goes away", func(f *http2.Framer, c net.Conn, stream uint32) {
			_ = f.WriteGoAway(stream, http2.ErrCodeInternal, nil)
			_ = c.Close()
		}, origin.ConnectionTerminated, 502},
		{"says nothing", func(*http2.Framer, net.Conn, uint32) {}, origin.HTTPResponseTimeout, 504},
		{"no H2", func(_ *http2.Framer, c net.Conn, _ uint32) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n") }, origin.HTTPProtocolError, 502},
		{"no status", func(f *http2.Framer, _ net.Conn, stream uint32) { respond(f, stream, true, "") }, origin.HTTPProtocolError, 502},
		{"no header block", func(f *http2.Framer, _ net.Conn, stream uint32) { respond(f, stream, true, "\xff\xff") }, origin.HTTPProtocolError, 502},
		{"endless header section", func(f *http2.Framer, _ net.Conn, stream uint32) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte(ok)})
			for range 200 {
				if f.WriteContinuation(stream, false, []byte("\x00\x01a\x7f\xf1\x7d"+strings.Repeat("a", 16<<10-15))) != nil {
					return
				}
			}
		}, origin.HTTPResponseHeaderSectionSize, 502},
		{"truncated", func(f *http2.Framer, c net.Conn, stream uint32) {
			respond(f, stream, false, ten)
			_ = f.WriteData(stream, false, []byte("hello"))
			_ = c.Close()
		}, origin.HTTPResponseIncomplete, 502},
		{"reset in the content", func(f *http2.Framer, _ net.Conn, stream uint32) {
			respond(f, stream, false, ok)
			_ = f.WriteData(stream, false, []byte("hello"))
			_ = f.WriteRSTStream(stream, http2.ErrCodeInternal)
		}, origin.HTTPResponseIncomplete, 502},
		{"stalls in the content", func(f *http2.Framer, _ net.Conn, stream uint32) {
			respond(f, stream, false, ok)
			_ = f.WriteData(stream, false, []byte("hello"))
		}, origin.HTTPResponseTimeout, 504},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := serveFrames(t, c.handle)
			b := open(t, func(o *origin.Options) { hurry(o); o.H2C = true }, server)
			_, _, err := b.fetch(get(t))
			wantError(t, err, c.kind, c.status)
			wantFailure(t, b, server)
		})
	}
}

// TestServerChoosesH1: a server that is offered H2 and takes H1 gets H1, and isn't offered H2 by each request.
func TestServerChoosesH1(t *testing.T) {
	var handshakes, connections atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(describe))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.TLS = &tls.Config{NextProtos: []string{"http/1.1"}, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		handshakes.Add(1)
		return nil, nil
	}}
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := writeCA(t, s.Certificate().Raw)
	b := open(t, func(o *origin.Options) { o.TLS.CAFile = ca }, s.URL)
	for range 5 {
		if _, got := b.must(t, get(t)); !strings.HasPrefix(got, "HTTP/1.1 /page") {
			t.Errorf("the server saw %q", got)
		}
		b.must(t, request(t, http.MethodHead, nil))
	}
	if n := handshakes.Load(); n != 2 {
		t.Errorf("%d handshakes, want that which found out and another one (%d connections)", n, connections.Load())
	}
	if _, got := b.must(t, request(t, http.MethodPost, strings.NewReader("content"))); !strings.HasPrefix(got, "HTTP/1.1 /page") {
		t.Errorf("of a POST the server saw %q", got)
	}
}

// TestConnectionsOverH2: requests share a connection, and with content another one, whatever comes at once.
func TestConnectionsOverH2(t *testing.T) {
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(describe))
	s.EnableHTTP2 = true
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := writeCA(t, s.Certificate().Raw)
	b := open(t, func(o *origin.Options) { o.TLS.CAFile = ca; o.IdleTimeout = time.Minute }, s.URL)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range 10 {
				if _, got, err := b.fetch(get(t)); err != nil || !strings.HasPrefix(got, "HTTP/2.0 /page") {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	all.Wait()
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	for range 5 {
		if _, got := b.must(t, request(t, http.MethodPost, strings.NewReader("content"))); !strings.HasPrefix(got, "HTTP/2.0 /page") {
			t.Errorf("of a POST the server saw %q", got)
		}
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections with those of contents", n)
	}
}
