package h3_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/proxy/h3"
)

// patience is for what should come at once.
const patience = 20 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// server serves H3 on a port of loopback.
type server struct {
	t     testing.TB
	addr  string
	roots *x509.CertPool
	conns chan *h3.Conn
}

func serve(t testing.TB, h http.HandlerFunc, adjust ...func(*h3.Config)) *server {
	t.Helper()
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	t.Cleanup(certs.Close)
	s := &server{t: t, roots: x509.NewCertPool(), conns: make(chan *h3.Conn, 8)}
	s.roots.AddCert(certs.Certificate())
	config := &quic.Config{RequireStreamCreditRelease: true, MaxIncomingStreams: 8, MaxIncomingUniStreams: 8}
	ln, err := quic.ListenAddrEarly("127.0.0.1:0", http3.ConfigureTLSConfig(&tls.Config{Certificates: certs.TLS.Certificates}), config)
	must(t, err)
	s.addr = ln.Addr().String()
	var serving sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	serving.Go(func() {
		for {
			c, err := ln.Accept(ctx)
			if err != nil {
				return
			}
			o := h3.Config{
				Handler: h, Context: c.Context(), Log: slog.New(slog.DiscardHandler), Header: 4 << 10, HeaderTimeout: patience,
				IdleTimeout: patience, SendIdle: patience, Streams: 8, Begin: func() {}, End: func() {},
			}
			for _, f := range adjust {
				f(&o)
			}
			conn := h3.NewConn(c, o)
			serving.Go(func() { _ = conn.Serve() })
			context.AfterFunc(ctx, func() { _ = c.CloseWithError(0x100, "") })
			select {
			case s.conns <- conn:
			default: // nobody asks for so many
			}
		}
	})
	t.Cleanup(func() {
		stop()
		serving.Wait()
		_ = ln.Close()
	})
	return s
}

// dial opens a connection on which the test says everything itself.
func (s *server) dial() *quic.Conn {
	s.t.Helper()
	c, err := quic.DialAddr(s.t.Context(), s.addr, s.tls(), nil)
	must(s.t, err)
	s.t.Cleanup(func() { _ = c.CloseWithError(0x100, "") })
	return c
}

func (s *server) tls() *tls.Config {
	return &tls.Config{RootCAs: s.roots, ServerName: "example.com", NextProtos: []string{"h3"}}
}

// client opens a connection of another implementation.
func (s *server) client() *http3.ClientConn {
	return (&http3.Transport{DisableCompression: true}).NewClientConn(s.dial())
}

// say opens a unidirectional stream that begins with b.
func say(t *testing.T, c *quic.Conn, b string) *quic.SendStream {
	t.Helper()
	s, err := c.OpenUniStream()
	must(t, err)
	_, err = s.Write([]byte(b))
	must(t, err)
	return s
}

// ask opens a request that begins with b, and ends with it where that is told.
func ask(t *testing.T, c *quic.Conn, b string, end bool) *quic.Stream {
	t.Helper()
	s, err := c.OpenStream()
	must(t, err)
	_, err = s.Write([]byte(b))
	must(t, err)
	if end {
		_ = s.Close() // fails where it was answered before, and nothing more is wanted
	}
	return s
}

// headers is a HEADERS frame.
func headers(fields ...[2]string) string {
	var b strings.Builder
	e := qpack.NewEncoder(&b)
	for _, f := range fields {
		_ = e.WriteField(qpack.HeaderField{Name: f[0], Value: f[1]}) // a strings.Builder takes everything
	}
	return frame(0x1, b.String())
}

// frame is a frame of a type, and at most 16383 octets.
func frame(kind byte, payload string) string {
	return string([]byte{kind, 0x40 | byte(len(payload)>>8), byte(len(payload))}) + payload
}

// get is a request's header section, with more fields.
func get(more ...[2]string) string {
	return headers(append([][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "example.com"}, {":path", "/"}}, more...)...)
}

const (
	control  = "\x00"
	settings = "\x04\x00"
)

// connectionError waits for the end of c, and returns its code.
func connectionError(t *testing.T, c *quic.Conn) uint64 {
	t.Helper()
	select {
	case <-c.Context().Done():
	case <-time.After(patience):
		t.Fatal("the connection doesn't end")
	}
	var app *quic.ApplicationError
	if cause := context.Cause(c.Context()); !errors.As(cause, &app) || !app.Remote {
		t.Fatalf("the connection ended with %v", cause)
	}
	return uint64(app.ErrorCode)
}

// Breaches that end a connection, by the code that the RFC names.
func TestConnectionErrors(t *testing.T) {
	const (
		creation, closed, unexpected, frameError, load, id = 0x103, 0x104, 0x105, 0x106, 0x107, 0x108
		setting, missing, decompression, encoder, decoder  = 0x109, 0x10a, 0x200, 0x201, 0x202
	)
	begun := control + settings
	for name, tt := range map[string]struct {
		uni, request string
		end          bool
		want         uint64
	}{
		"no SETTINGS first (RFC 9114 6.2.1)":              {uni: control + frame(0x7, "\x00"), want: missing},
		"the control stream ends (6.2.1)":                 {uni: begun, end: true, want: closed},
		"it ends before SETTINGS":                         {uni: control, end: true, want: closed},
		"it ends in a frame (7.1)":                        {uni: begun + "\x07", end: true, want: frameError},
		"SETTINGS twice (7.2.4)":                          {uni: begun + settings, want: unexpected},
		"a setting twice (7.2.4)":                         {uni: control + frame(0x4, "\x06\x01\x06\x01"), want: setting},
		"a setting of H2 (7.2.4.1)":                       {uni: control + frame(0x4, "\x02\x01"), want: setting},
		"extended CONNECT is 2 (RFC 8441 3)":              {uni: control + frame(0x4, "\x08\x02"), want: setting},
		"half a setting (7.1)":                            {uni: control + frame(0x4, "\x06"), want: frameError},
		"DATA on the control stream (7.2.1)":              {uni: begun + frame(0x0, "x"), want: unexpected},
		"HEADERS on the control stream (7.2.2)":           {uni: begun + frame(0x1, "x"), want: unexpected},
		"PUSH_PROMISE of a client (7.2.5)":                {uni: begun + frame(0x5, "x"), want: unexpected},
		"a frame type of H2 (7.2.8)":                      {uni: begun + frame(0x6, "x"), want: unexpected},
		"CANCEL_PUSH of no push (7.2.3)":                  {uni: begun + frame(0x3, "\x00"), want: id},
		"GOAWAY longer than its id (7.1)":                 {uni: begun + frame(0x7, "\x00\x00"), want: frameError},
		"MAX_PUSH_ID without one (7.1)":                   {uni: begun + frame(0xd, ""), want: frameError},
		"PRIORITY_UPDATE of no request (RFC 9218 7.2)":    {uni: begun + "\x80\x0f\x07\x00\x01\x03", want: id},
		"PRIORITY_UPDATE of a push (RFC 9218 7.2)":        {uni: begun + "\x80\x0f\x07\x01\x01\x00", want: id},
		"a large frame on the control stream":             {uni: begun + "\x07\x80\x10\x00\x00", want: load},
		"a push stream of a client (6.2.2)":               {uni: "\x01", want: creation},
		"an entry for the dynamic table (RFC 9204 4.3)":   {uni: "\x02\x3f\x01", want: encoder},
		"the encoder stream ends (RFC 9204 4.2)":          {uni: "\x02\x20", end: true, want: closed},
		"an acknowledgement of no section (RFC 9204 4.4)": {uni: "\x03\x80", want: decoder},
		"an increment of no insert count (RFC 9204 4.4)":  {uni: "\x03\x00", want: decoder},
		"the decoder stream ends behind cancellations":    {uni: "\x03\x44\x7f\xff\x01", end: true, want: closed},
		"DATA before HEADERS (4.1)":                       {request: frame(0x0, "x"), want: unexpected},
		"SETTINGS in a request (7.2.4)":                   {request: frame(0x4, ""), want: unexpected},
		"GOAWAY in a request (7.2.6)":                     {request: get() + frame(0x7, "\x00"), want: unexpected},
		"a frame type of H2 in a request (7.2.8)":         {request: frame(0x9, ""), want: unexpected},
		"DATA behind trailers (4.1)":                      {request: get() + headers([2]string{"x", "y"}) + frame(0x0, "x"), want: unexpected},
		"a field section of no QPACK (RFC 9204 2.2)":      {request: frame(0x1, "\x00\x00\xff\xff"), want: decompression},
		"a trailer section of no QPACK":                   {request: get() + frame(0x1, "\x02\x00"), want: decompression},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
			c := s.dial()
			if tt.uni != "" {
				if u := say(t, c, tt.uni); tt.end {
					must(t, u.Close())
				}
			} else {
				ask(t, c, tt.request, true)
			}
			if got := connectionError(t, c); got != tt.want {
				t.Errorf("code %#x, want %#x", got, tt.want)
			}
		})
	}
}

// Two streams of a type that there may be one of.
func TestCriticalStreamTwice(t *testing.T) {
	for _, kind := range []string{control + settings, "\x02", "\x03"} {
		c := serve(t, nil).dial()
		say(t, c, kind)
		say(t, c, kind)
		if got := connectionError(t, c); got != 0x103 {
			t.Errorf("%q: code %#x, want H3_STREAM_CREATION_ERROR", kind, got)
		}
	}
}

// What a client may do, and most don't.
func TestOddButAllowed(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %v", b, r.Trailer["X-T"])
	}).dial()
	unknown := frame(0x21, "grease") + frame(0x21, "")
	say(t, c, control+frame(0x4, "\x21\x01\x08\x01")+unknown+frame(0x7, "\x00")+frame(0xd, "\x05")+"\x80\x0f\x07\x00\x04\x00u=1")
	say(t, c, "\x21 a type that nobody knows")
	say(t, c, "\x02\x20") // no dynamic table
	say(t, c, "\x03\x40\x7f\x80\x01")
	must(t, say(t, c, "").Close()) // ends before its type
	s := ask(t, c, unknown+get([2]string{"content-length", "4"})+unknown+frame(0x0, "te")+frame(0x0, "")+frame(0x0, "st")+
		headers([2]string{"x-t", "1"})+unknown, true)
	b, err := io.ReadAll(s)
	if err != nil || !strings.Contains(string(b), "test [1]") {
		t.Errorf("%q, %v", b, err)
	}
}

// Malformed requests end by themselves: RFC 9114, section 4.1.2. Those beside them are answered.
func TestStreamErrors(t *testing.T) {
	method, scheme, authority, path := [2]string{":method", "GET"}, [2]string{":scheme", "https"}, [2]string{":authority", "example.com"}, [2]string{":path", "/"}
	const incomplete, malformed = 0x10d, 0x10e
	connect := [2]string{":method", "CONNECT"}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
	for name, tt := range map[string]struct {
		request string
		want    quic.StreamErrorCode
	}{
		"no :method":                      {headers(scheme, authority, path), malformed},
		"an odd :method":                  {headers([2]string{":method", "G T"}, scheme, authority, path), malformed},
		"no :scheme":                      {headers(method, authority, path), malformed},
		"no :path":                        {headers(method, scheme, authority), malformed},
		"an empty :path":                  {headers(method, scheme, authority, [2]string{":path", ""}), malformed},
		"a :path that isn't one":          {headers(method, scheme, authority, [2]string{":path", "http://other/"}), malformed},
		"* for GET":                       {headers(method, scheme, authority, [2]string{":path", "*"}), malformed},
		"no authority":                    {headers(method, scheme, path), malformed},
		"userinfo":                        {headers(method, scheme, path, [2]string{":authority", "a@example.com"}), malformed},
		"two hosts":                       {get([2]string{"host", "other.example.com"}), malformed},
		"a pseudo-header field twice":     {headers(method, method, scheme, authority, path), malformed},
		"a pseudo-header field of answer": {headers(method, scheme, authority, path, [2]string{":status", "200"}), malformed},
		"one behind the fields":           {headers(method, scheme, authority, [2]string{"x", "y"}, path), malformed},
		"CONNECT with a :path":            {headers(connect, authority, scheme, path), malformed},
		":protocol without CONNECT":       {get([2]string{":protocol", "websocket"}), malformed},
		"extended CONNECT without :path":  {headers(connect, scheme, authority, [2]string{":protocol", "websocket"}), malformed},
		"a name in upper case":            {get([2]string{"X-Upper", "y"}), malformed},
		"a name that is none":             {get([2]string{"a name", "y"}), malformed},
		"a line break in a value":         {get([2]string{"x", "a\r\nb: c"}), malformed},
		"Connection":                      {get([2]string{"connection", "close"}), malformed},
		"Transfer-Encoding":               {get([2]string{"transfer-encoding", "chunked"}), malformed},
		"TE but trailers":                 {get([2]string{"te", "gzip"}), malformed},
		"a length that is none":           {get([2]string{"content-length", "-1"}), malformed},
		"two lengths":                     {get([2]string{"content-length", "1"}, [2]string{"content-length", "2"}), malformed},
		"nothing of its length":           {get([2]string{"content-length", "5"}), malformed},
		"less than its length":            {get([2]string{"content-length", "5"}) + frame(0x0, "four"), malformed},
		"more than its length":            {get([2]string{"content-length", "3"}) + frame(0x0, "four"), malformed},
		"less, and trailers":              {get([2]string{"content-length", "5"}) + frame(0x0, "four") + headers([2]string{"x", "y"}), malformed},
		"a pseudo-header field behind":    {get() + headers([2]string{":path", "/"}), malformed},
		"a length behind":                 {get() + headers([2]string{"content-length", "4"}), malformed},
		"nothing":                         {"", incomplete},
		"half a frame's head":             {"\x01", incomplete},
		"half a header section":           {get()[:10], incomplete},
		"half an unknown frame":           {frame(0x21, "grease")[:5], incomplete},
		"half a DATA frame":               {get() + frame(0x0, "content")[:6], incomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := s.dial()
			bad := ask(t, c, tt.request, true)
			var reset *quic.StreamError
			if b, err := io.ReadAll(bad); !errors.As(err, &reset) || reset.ErrorCode != tt.want {
				t.Errorf("%q, %v, want %#x", b, err, tt.want)
			}
			if b, err := io.ReadAll(ask(t, c, get(), true)); err != nil || len(b) == 0 {
				t.Errorf("the next request: %q, %v", b, err)
			}
		})
	}
}

func TestHeaderSectionTooLarge(t *testing.T) {
	s := serve(t, nil)
	for _, size := range []int{4 << 10, 16 << 10} { // decoded, and as it comes
		r, err := http.NewRequest("GET", "https://example.com/", nil)
		must(t, err)
		r.Header.Set("X-Large", strings.Repeat("\x80", size)) // which Huffman's code makes longer
		resp, err := s.client().RoundTrip(r)
		must(t, err)
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%d octets: status %d", size, resp.StatusCode)
		}
	}
}
