package listener_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/listener"
)

// h2Client speaks H2 frame by frame.
type h2Client struct {
	*http2.Framer
	t    *testing.T
	conn *tls.Conn
}

func (e *edge) h2() *h2Client {
	e.t.Helper()
	conn, err := tls.Dial("tcp", e.https(), e.clientTLS("h2"))
	must(e.t, err)
	e.t.Cleanup(func() { _ = conn.Close() })
	must(e.t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, http2.ClientPreface)
	must(e.t, err)
	c := &h2Client{http2.NewFramer(conn, conn), e.t, conn}
	must(e.t, c.WriteSettings())
	return c
}

// request opens a stream with GET /.
func (c *h2Client) request(stream uint32) {
	c.t.Helper()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", host}, {":path", "/"}} {
		must(c.t, enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	must(c.t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}))
}

// next returns the next frame of type F, passing over others; false at the connection's end.
func next[F http2.Frame](c *h2Client) (F, bool) {
	c.t.Helper()
	for {
		f, err := c.ReadFrame()
		if errors.Is(err, io.EOF) {
			return *new(F), false
		}
		must(c.t, err)
		if wanted, ok := f.(F); ok {
			return wanted, true
		}
	}
}

func TestH2Settings(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Limits.Streams = 17 })
	f, _ := next[*http2.SettingsFrame](e.h2())
	// Extended CONNECT (RFC 8441) is offered only because package xconnect was initialised before net/http.
	for id, want := range map[http2.SettingID]uint32{http2.SettingEnableConnectProtocol: 1, http2.SettingMaxConcurrentStreams: 17} {
		if got, ok := f.Value(id); !ok || got != want {
			t.Errorf("%v: %d, %t, want %d", id, got, ok, want)
		}
	}
}

func TestShutdownSendsH2GOAWAY(t *testing.T) {
	h := newHolder()
	e := serve(t, h)
	c := e.h2()
	c.request(1)
	h.waitBegun(t)
	down := make(chan error, 1)
	go func() { down <- e.Shutdown(t.Context()) }()
	f, ok := next[*http2.GoAwayFrame](c)
	if !ok || f.ErrCode != http2.ErrCodeNo {
		t.Fatalf("got %v, want GOAWAY with NO_ERROR", f)
	}
	close(h.end)
	if d, ok := next[*http2.DataFrame](c); !ok || string(d.Data()) != "done" {
		t.Errorf("the answer under way was cut off: %v", d)
	}
	if _, more := next[*http2.DataFrame](c); more {
		t.Error("the connection goes on")
	}
	must(t, wait(t, "Shutdown returns", down))
	e.ended()
}

func TestSingleHugeFieldEndsTheH2Connection(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Limits.Header = 4 << 10 })
	c := e.h2()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	must(t, enc.WriteField(hpack.HeaderField{Name: "x-huge", Value: string(bytes.Repeat([]byte("~"), 12<<10))}))
	must(t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes()[:8<<10]}))
	must(t, c.WriteContinuation(1, true, block.Bytes()[8<<10:]))
	if f, ok := next[*http2.GoAwayFrame](c); !ok || f.ErrCode != http2.ErrCodeCompression {
		t.Errorf("got %v, want GOAWAY with COMPRESSION_ERROR", f)
	}
}
