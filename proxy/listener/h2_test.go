package listener_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
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

// request opens a stream with GET / and fields.
func (c *h2Client) request(stream uint32, fields ...[2]string) {
	c.t.Helper()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	enc.SetMaxDynamicTableSize(0)
	pseudo := [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", host}, {":path", "/"}}
	for _, f := range append(pseudo, fields...) {
		must(c.t, enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	const frame = 16 << 10
	first := block.Next(frame)
	must(c.t, c.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: first, EndStream: true, EndHeaders: block.Len() == 0,
	}))
	for block.Len() > 0 {
		part := block.Next(frame)
		must(c.t, c.WriteContinuation(stream, block.Len() == 0, part))
	}
}

// statusOf is the status of a request with so many octets of fields.
func (c *h2Client) statusOf(octets int) string {
	c.t.Helper()
	var fields [][2]string
	for sent := 0; sent < octets; sent += 1 << 10 {
		fields = append(fields, [2]string{"x-large", strings.Repeat("~", 1<<10)})
	}
	return c.status(fields...)
}

// statusOfOne is the same with one field.
func (c *h2Client) statusOfOne(octets int) string {
	c.t.Helper()
	return c.status([2]string{"x-large", strings.Repeat("~", octets)})
}

func (c *h2Client) status(fields ...[2]string) string {
	c.t.Helper()
	c.request(1, fields...)
	f, ok := next[*http2.HeadersFrame](c)
	if !ok {
		return "none"
	}
	list, err := hpack.NewDecoder(4<<10, nil).DecodeFull(f.HeaderBlockFragment())
	must(c.t, err)
	return list[0].Value
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

func TestMonstrousHeaderEndsTheH2Connection(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Limits.Header = 4 << 10 })
	c := e.h2()
	c.request(1, [2]string{"x-huge", strings.Repeat("~", 30<<10)})
	if f, ok := next[*http2.GoAwayFrame](c); !ok || f.ErrCode == http2.ErrCodeNo {
		t.Errorf("got %v, want GOAWAY with an error", f)
	}
}
