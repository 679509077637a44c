package origin_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/origin"
)

// describe says what the server saw of a request.
func describe(w http.ResponseWriter, r *http.Request) {
	name := ""
	if r.TLS != nil {
		name = r.TLS.ServerName
	}
	fmt.Fprintf(w, "%s %s host=%s sni=%s agent=%q encoding=%q", r.Proto, r.URL.Path, r.Host, name, r.UserAgent(), r.Header.Get("Accept-Encoding"))
}

func TestProtocol(t *testing.T) {
	plain := serve(t, describe)
	secure, ca := serveTLS(t, describe)
	clear := httptest.NewUnstartedServer(http.HandlerFunc(describe))
	clear.Config.Protocols = new(http.Protocols)
	clear.Config.Protocols.SetUnencryptedHTTP2(true)
	clear.Start()
	t.Cleanup(clear.Close)
	trust := func(o *origin.Options) { o.TLS.CAFile = ca }

	for _, c := range []struct {
		name, server string
		change       func(*origin.Options)
		want         string
	}{
		{"H1", plain.URL, nil, "HTTP/1.1 /page host=shop.example.com sni= "},
		{"H2 by ALPN", secure.URL, trust, "HTTP/2.0 /page host=shop.example.com sni= "},
		{"H1 over TLS", secure.URL, func(o *origin.Options) { trust(o); o.HTTP2 = false }, "HTTP/1.1 /page host=shop.example.com sni= "},
		{"h2c", clear.URL, func(o *origin.Options) { o.H2C = true }, "HTTP/2.0 /page host=shop.example.com sni= "},
		{"h2c leaves https alone", secure.URL, func(o *origin.Options) { trust(o); o.H2C = true }, "HTTP/2.0 "},
		{"Host", plain.URL, func(o *origin.Options) { o.Host = "inner.example.net" }, "HTTP/1.1 /page host=inner.example.net sni= "},
		{"server name", secure.URL, func(o *origin.Options) { trust(o); o.TLS.ServerName = "example.com" }, "HTTP/2.0 /page host=shop.example.com sni=example.com "},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, c.change, c.server)
			resp, got := b.must(t, get(t))
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("the server saw %q, want %q", got, c.want)
			}
			if !strings.HasSuffix(got, `encoding=""`) {
				t.Errorf("the pool asked for compression: %q", got)
			}
			if want := strings.TrimPrefix(strings.TrimPrefix(c.server, "http://"), "https://"); resp.Request.URL.Host != want {
				t.Errorf("the response names %q as its server, want %q", resp.Request.URL.Host, want)
			}
		})
	}
}

func TestRequestIsNotTouched(t *testing.T) {
	b := open(t, func(o *origin.Options) { o.Host = "inner.example.net" }, serve(t, describe).URL)
	r := get(t)
	b.must(t, r)
	if r.URL.String() != "/page" || r.Host != "shop.example.com" || len(r.Header) != 0 {
		t.Errorf("the request became %s %s %v", r.URL, r.Host, r.Header)
	}
}

func TestKeepAlive(t *testing.T) {
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(describe))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	b := open(t, nil, s.URL)
	for range 5 {
		b.must(t, get(t))
		b.must(t, request(t, http.MethodHead, nil))
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("10 requests in a row took %d connections, want 1", n)
	}
}

func TestRedirectsAndCookiesPass(t *testing.T) {
	b := open(t, nil, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "" {
			t.Error("the pool kept a cookie")
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}).URL)
	for range 2 {
		if resp, _ := b.must(t, get(t)); resp.StatusCode != http.StatusFound {
			t.Errorf("got %s, want the redirect itself", resp.Status)
		}
	}
}

// echoUpgrade switches to a protocol that sends everything back.
func echoUpgrade(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 1 || r.Header.Get("Upgrade") != "echo" {
		http.Error(w, "no upgrade over "+r.Proto, http.StatusUpgradeRequired)
		return
	}
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_, _ = io.Copy(c, rw)
}

// An upgrade goes over H1 even where the server speaks H2.
func TestUpgrade(t *testing.T) {
	secure, ca := serveTLS(t, echoUpgrade)
	for name, server := range map[string]string{"H1": serve(t, echoUpgrade).URL, "TLS": secure.URL} {
		t.Run(name, func(t *testing.T) {
			b := open(t, func(o *origin.Options) { o.TLS.CAFile = ca }, server)
			r := get(t)
			r.Header.Set("Connection", "keep-alive, Upgrade")
			r.Header.Set("Upgrade", "echo")
			resp, err := b.RoundTrip(r)
			if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("got %v, %v", resp, err)
			}
			tunnel := resp.Body.(io.ReadWriteCloser)
			if _, err := io.WriteString(tunnel, "hello\n"); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(tunnel).ReadString('\n'); line != "hello\n" {
				t.Errorf("the tunnel gave %q, %v", line, err)
			}
			if n := b.Status().Servers[0].InFlight; n != 1 {
				t.Errorf("an open tunnel holds %d places, want 1", n)
			}
			if err := tunnel.(interface{ CloseWrite() error }).CloseWrite(); name == "H1" && err != nil {
				t.Errorf("half-close: %v", err)
			}
			_ = tunnel.Close()
		})
	}
}

func TestInterimResponses(t *testing.T) {
	b := open(t, nil, serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		content, _ := io.ReadAll(r.Body) // answers Expect: 100-continue
		_, _ = w.Write(content)
	}).URL)
	var codes []int
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { codes = append(codes, code); return nil },
	})
	r := request(t, http.MethodPost, strings.NewReader("content")).WithContext(ctx)
	r.Header.Set("Expect", "100-continue")
	if _, got := b.must(t, r); got != "content" {
		t.Errorf("got %q", got)
	}
	if !slices.Equal(codes, []int{103, 100}) {
		t.Errorf("interim responses %v, want 103 and 100", codes)
	}
}

// Response and request content stream side by side over H2, with trailers at both ends.
func TestStreamsBothWays(t *testing.T) {
	s, ca := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Sum")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintln(w, strings.ToUpper(lines.Text()))
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set("Sum", r.Trailer.Get("End"))
	})
	b := open(t, func(o *origin.Options) { o.TLS.CAFile = ca }, s.URL)
	pr, pw := io.Pipe()
	r := request(t, http.MethodPost, pr)
	r.Trailer = http.Header{"End": nil}
	resp, err := b.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for _, word := range []string{"one", "two"} {
		fmt.Fprintln(pw, word)
		if got, err := lines.ReadString('\n'); got != strings.ToUpper(word)+"\n" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	r.Trailer.Set("End", "three")
	_ = pw.Close()
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Fatal(err)
	}
	if got := resp.Trailer.Get("Sum"); got != "three" {
		t.Errorf("trailer %q, want three", got)
	}
}

// zeros is n octets that nobody has to hold.
func zeros(n int64) io.Reader { return io.LimitReader(zero{}, n) }

type zero struct{}

func (zero) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestLargeContentStreams(t *testing.T) {
	const size = 256 << 20
	b := open(t, nil, serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = io.Copy(w, zeros(n))
	}).URL)
	r := request(t, http.MethodPut, zeros(size))
	r.ContentLength = size
	resp, err := b.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Errorf("got %d octets back, %v", n, err)
	}
}

func TestClientThatLeaves(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page" {
			_, _ = io.WriteString(w, "begin")
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	b := open(t, nil, s.URL)

	t.Run("before the response", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := get(t).WithContext(ctx)
		r.URL.Path = "/silent"
		time.AfterFunc(20*time.Millisecond, cancel)
		if _, _, err := b.fetch(r); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
	})
	t.Run("while reading", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := b.RoundTrip(get(t).WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		begin := make([]byte, len("begin"))
		if _, err := io.ReadFull(resp.Body, begin); string(begin) != "begin" {
			t.Errorf("got %q, %v", begin, err)
		}
		time.AfterFunc(20*time.Millisecond, cancel) // while the next read waits, mostly
		if more, err := io.ReadAll(resp.Body); len(more) > 0 || err == nil {
			t.Errorf("got %q more, %v", more, err)
		}
	})
	t.Run("between two reads", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := b.RoundTrip(get(t).WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		_ = resp.Body.Close()
	})
	if fills := b.allFills(); len(fills) != 0 {
		t.Errorf("clients that left were reported: %v", fills)
	}
}

// A place is held until the content's end, and the one who waits for it gets it then.
func TestPlaceIsHeldUntilTheEnd(t *testing.T) {
	b := open(t, func(o *origin.Options) {
		o.Concurrency = origin.ConcurrencyOptions{Max: 1, Queue: 1, Wait: 10 * time.Second}
	}, serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, zeros(1<<20)) }).URL)
	first, err := b.RoundTrip(get(t))
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() { _, _, err := b.fetch(get(t)); second <- err }()
	for b.Status().Waiting == 0 {
		runtime.Gosched()
	}
	_, _, err = b.fetch(get(t))
	wantError(t, err, origin.ConnectionLimitReached, http.StatusServiceUnavailable)
	if n := len(b.allFills()); n != 0 {
		t.Errorf("%d fills reported while none has ended", n)
	}
	_ = first.Body.Close()
	if err := <-second; err != nil {
		t.Errorf("the one who waited: %v", err)
	}
}
