package h2_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/origin/h1"
	"github.com/anyedge/anyedge/proxy/origin/h2"
)

// patience is for what should come at once.
const patience = time.Minute

// peer is a server's end of a connection, which speaks frame by frame.
type peer struct {
	*http2.Framer
	net.Conn
	t       *testing.T
	encoder *hpack.Encoder
	block   bytes.Buffer
}

// client returns a client of a server that does with each connection what serve does. n counts them.
func client(t *testing.T, serve func(p *peer)) (c *h2.Client, n *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	n = new(atomic.Int32)
	var all sync.WaitGroup
	var mu sync.Mutex // guards the following field
	var open []net.Conn
	all.Go(func() {
		for {
			wire, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			mu.Lock()
			open = append(open, wire)
			mu.Unlock()
			all.Go(func() {
				defer wire.Close()
				p := &peer{Framer: http2.NewFramer(wire, wire), Conn: wire, t: t}
				p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
				p.encoder = hpack.NewEncoder(&p.block)
				preface := make([]byte, len(http2.ClientPreface))
				if _, err := io.ReadFull(wire, preface); err != nil || string(preface) != http2.ClientPreface {
					return
				}
				serve(p)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, wire := range open {
			_ = wire.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	c = &h2.Client{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
		},
		Handshake: patience, FirstByte: patience, Idle: patience, KeepAlive: time.Hour, Quiet: time.Hour, Pong: patience, MaxHeader: 64 << 10,
	}
	t.Cleanup(c.CloseIdle)
	return c, n
}

// greet says SETTINGS.
func (p *peer) greet(settings ...http2.Setting) { _ = p.WriteSettings(settings...) }

// request reads up to the next request; nil: the client is gone.
func (p *peer) request() *http2.MetaHeadersFrame {
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return nil
		}
		if h, ok := f.(*http2.MetaHeadersFrame); ok {
			return h
		}
	}
}

// until reads up to a frame of the type F; nil: the client is gone.
func until[F http2.Frame](p *peer) (found F, ok bool) {
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return found, false
		}
		if found, ok = f.(F); ok {
			return found, true
		}
	}
}

// headers says HEADERS; of pairs of names and values.
func (p *peer) headers(stream uint32, ends bool, pairs ...string) {
	p.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		_ = p.encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: p.block.Bytes(), EndStream: ends, EndHeaders: true})
}

// answer answers a request with a content in one frame.
func (p *peer) answer(stream uint32, content string) {
	p.headers(stream, false, ":status", "200", "content-type", "text/plain")
	_ = p.WriteData(stream, true, []byte(content))
}

// answerAll answers each request with its path.
func (p *peer) answerAll() {
	for r := p.request(); r != nil; r = p.request() {
		p.answer(r.StreamID, r.PseudoValue("path"))
	}
}

func get(ctx context.Context, t *testing.T, path string) *h1.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://origin.test"+path, nil)
	must(t, err)
	return &h1.Request{Request: r}
}

// fetch asks, and reads the whole content. The error may come from either.
func fetch(c *h2.Client, r *h1.Request) (*http.Response, string, error) {
	resp, err := c.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	content, err := io.ReadAll(resp.Body)
	return resp, string(content), errors.Join(err, resp.Body.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
