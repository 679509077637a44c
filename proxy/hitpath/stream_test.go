package hitpath

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/hitpath/hitpathtest"
)

// ways are two servers of the same handler: the loop, with net/http behind it, and net/http alone.
type ways struct {
	loop, alone *pipeListener
	config      *tls.Config
}

// pipeListener is where connections in memory come in.
type pipeListener struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), ended: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.ended) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func newWays(t testing.TB, h http.Handler) *ways {
	certified := httptest.NewTLSServer(nil)
	certified.Close()
	w := &ways{newPipeListener(), newPipeListener(), &tls.Config{Certificates: certified.TLS.Certificates}}
	behind := newPipeListener()
	s := &http.Server{Handler: h, ReadHeaderTimeout: limit, ErrorLog: log.New(io.Discard, "", 0), DisableGeneralOptionsHandler: true}
	front := &Server{
		Finder: noHits{}, Handler: h, Context: context.Background(), Header: 64 << 10, HeaderTimeout: limit, IdleTimeout: limit, SendIdle: limit,
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(behind) })
	serving.Go(func() { _ = s.Serve(tls.NewListener(w.alone, w.config)) })
	serving.Go(func() { // ends with w.loop
		for {
			c, err := w.loop.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				secure := tls.Server(c, w.config)
				if secure.Handshake() != nil {
					_ = c.Close()
					return
				}
				if rest := front.NewConn(secure, hitpathtest.Unheld{}).Serve(); rest != nil {
					behind.conns <- rest
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = w.loop.Close()
		_ = s.Close()
		serving.Wait()
	})
	return w
}

// gathering is a connection that keeps back what is written, from when it is told to.
type gathering struct {
	net.Conn
	gather atomic.Bool
	waits  []byte
}

func (g *gathering) Write(p []byte) (int, error) {
	if !g.gather.Load() {
		return g.Conn.Write(p)
	}
	g.waits = append(g.waits, p...)
	return len(p), nil
}

// sends sends pieces, each in a TLS record of its own, and then says that nothing more comes; it returns all that comes back.
// With together all of that comes at once.
func (w *ways) sends(t testing.TB, l *pipeListener, pieces [][]byte, together bool) []byte {
	client, server := net.Pipe()
	_ = client.SetDeadline(time.Now().Add(limit))
	l.conns <- server
	wire := &gathering{Conn: client}
	config := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the certificate isn't what is tested
	if together {
		config.MaxVersion = tls.VersionTLS12 // with which crypto/tls tells the end together with the last octets
	}
	c := tls.Client(wire, config)
	defer client.Close()
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() { // ends with client
		defer close(sent)
		wire.gather.Store(together)
		for _, p := range pieces {
			if _, err := c.Write(p); err != nil {
				return // it was closed
			}
		}
		_ = c.CloseWrite()
		_ = client.SetDeadline(time.Now().Add(limit)) // CloseWrite has ended it
		_, _ = client.Write(wire.waits)
	}()
	got, err := io.ReadAll(c)
	_ = client.Close()
	<-sent
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "closed pipe") {
		t.Fatalf("%v after %q", err, got)
	}
	return got
}

// responses are what octets say, in a form in which two servers' can be compared.
func responses(octets []byte) (all []string) {
	r := bufio.NewReader(bytes.NewReader(octets))
	for {
		head, err := r.Peek(len("HTTP/1.1 200"))
		if err != nil {
			return append(all, fmt.Sprintf("then %q", head))
		}
		rest, _ := r.Peek(r.Buffered())
		end := bytes.Index(rest, []byte(headEnd))
		method := http.MethodGet
		if end >= 0 && bytes.Contains(rest[:end], []byte("\r\nX-Head: yes\r\n")) {
			method = http.MethodHead
		}
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return append(all, err.Error())
		}
		content, err := io.ReadAll(resp.Body)
		resp.Header.Del("Date")
		all = append(all, fmt.Sprintf("%s %v %d %v %v %q %v %v", resp.Status, resp.Header, resp.ContentLength, resp.TransferEncoding, resp.Trailer, content, resp.Close, err))
	}
}

// echo answers with what it was told, in several ways.
func echo(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	if r.Method == http.MethodHead {
		w.Header().Set("X-Head", "yes")
	}
	text := fmt.Sprintf("%q %q %q %q %q %q %v %d %v %q %v", r.Method, r.RequestURI, r.URL, r.Host, r.Proto, r.Header, r.Trailer, r.ContentLength, r.Close, content, err)
	switch {
	case strings.HasPrefix(r.URL.Path, "/length"):
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	case strings.HasPrefix(r.URL.Path, "/flush"):
		w.(http.Flusher).Flush()
	case strings.HasPrefix(r.URL.Path, "/short"):
		w.Header().Set("Content-Length", fmt.Sprint(len(text)+1))
	case strings.HasPrefix(r.URL.Path, "/large"):
		text += strings.Repeat("x", 40<<10)
	case strings.HasPrefix(r.URL.Path, "/none"):
		w.WriteHeader(http.StatusNoContent)
		return
	case strings.HasPrefix(r.URL.Path, "/abort"):
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, text)
}

// cut cuts s at places that seed says.
func cut(s string, seed uint64) (pieces [][]byte) {
	if seed == 0 {
		return [][]byte{[]byte(s)}
	}
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // it is to be repeated
	most := []int{1, 3, 20, 200, 2000}[r.IntN(5)]
	for len(s) > 0 {
		n := min(len(s), 1+r.IntN(most))
		if len(pieces) > 500 {
			n = len(s)
		}
		pieces, s = append(pieces, []byte(s[:n])), s[n:]
	}
	return pieces
}

// lastRequest ends what came before it, whatever that is, and the connection.
const lastRequest = "\r\n\r\nGET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

// FuzzStream sends the same octets over a connection to the loop, with net/http behind it, cut into pieces anyhow, and to net/http alone.
// The answers must be the same.
func FuzzStream(f *testing.F) {
	w := newWays(f, http.HandlerFunc(echo))
	const next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
	for i, s := range []string{
		"",
		next + next,
		"HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n" + next,
		"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + next,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n" + next + next,
		next + "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde" + next,
		next + "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + next,
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\nContent-Length: 5\r\n\r\nabcde" + next,
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nX: y\r\n\r\n" + next,
		next + "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n" + next,
		next + "GET / HTTP/1.1\nHost: a\n\n" + next,
		"GET / HTTP/1.0\r\n\r\n" + next,
		"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n" + next,
		next + "\r\n" + next,
		"get / HTTP/1.1\r\nHost: a\r\n\r\n" + next,
		"GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n" + next,
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + next,
		"GET / HTTP/1.1\r\nHost: a b\r\n\r\n" + next,
		"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n" + next,
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close, x\r\n\r\n" + next,
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: clo\u017fe\r\n\r\n" + next,
		"GET / HTTP/1.1\r\nHost: boo\u212a\r\n\r\n" + next,
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n" + next,
		"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n" + next,
		"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n" + next,
		"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n" + next,
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + next,
		"GET /none HTTP/1.1\r\nHost: a\r\n\r\nHEAD /flush HTTP/1.1\r\nHost: a\r\n\r\nGET /flush HTTP/1.1\r\nHost: a\r\n\r\nGET /short HTTP/1.1\r\nHost: a\r\n\r\n" + next,
		next + "GET /abort HTTP/1.1\r\nHost: a\r\n\r\n" + next,
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" + next,
		"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + next,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + next,
		"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n" + next,
		strings.Repeat(next, 100),
		strings.Repeat("GET /large HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 10),
		next + "GET / HTTP/1.1\r\nHost: a\r\nTrailer: X\r\nTE: trailers\r\nPragma: no-cache\r\nKeep-Alive: x\r\n\r\n" + next,
	} {
		f.Add(s, uint64(0))
		f.Add(s, uint64(i+1))
	}
	f.Fuzz(func(t *testing.T, s string, seed uint64) {
		if len(s) > 64<<10 {
			return
		}
		pieces, together := cut(s+lastRequest, seed), seed%3 == 0
		got, want := responses(w.sends(t, w.loop, pieces, together)), responses(w.sends(t, w.alone, pieces, together))
		if !slices.Equal(got, want) {
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Errorf("%q: answer %d by the loop\n%.500s\nby net/http\n%.500s", s, i, got[i], want[i])
					return
				}
			}
			t.Errorf("%q: %d answers by the loop, %d by net/http\n%.2000q\n%.2000q", s, len(got), len(want), got, want)
		}
	})
}
