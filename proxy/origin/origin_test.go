package origin_test

import (
	"bufio"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/origin"
)

// recorder is a Reporter that remembers.
type recorder struct {
	mu      sync.Mutex
	fills   []health.Fill
	places  []bool
	servers []census
	news    chan struct{}
}

type census struct {
	up, total int
	detail    string
}

func newRecorder() *recorder { return &recorder{news: make(chan struct{}, 1)} }

func (r *recorder) Place(_ string, atOnce bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.places = append(r.places, atOnce)
}

func (r *recorder) Fill(_ string, f health.Fill) {
	r.mu.Lock()
	r.fills = append(r.fills, f)
	r.mu.Unlock()
	r.tell()
}

func (r *recorder) Servers(_ string, up, total int, detail string) {
	r.mu.Lock()
	r.servers = append(r.servers, census{up, total, detail})
	r.mu.Unlock()
	r.tell()
}

func (r *recorder) tell() {
	select {
	case r.news <- struct{}{}:
	default:
	}
}

func (r *recorder) allFills() []health.Fill {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]health.Fill(nil), r.fills...)
}

func (r *recorder) allPlaces() []bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]bool(nil), r.places...)
}

func (r *recorder) allServers() []census {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]census(nil), r.servers...)
}

// until waits for reports until holds.
func (r *recorder) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !holds() {
		select {
		case <-r.news:
		case <-deadline:
			t.Fatalf("%s: not within a minute; fills %v, servers %v", what, r.allFills(), r.allServers())
		}
	}
}

// bench is a pool with what it tells others.
type bench struct {
	*origin.Pool
	*recorder
	journal *health.Journal
}

// open makes a pool of servers with the defaults, changed by change. At the test's end every place must be free again.
func open(t *testing.T, change func(*origin.Options), servers ...string) *bench {
	t.Helper()
	var o origin.Options
	o.SetDefaults()
	o.Servers = servers
	if change != nil {
		change(&o)
	}
	b := &bench{recorder: newRecorder(), journal: health.NewJournal(1000)}
	p, err := origin.New("shop", o, b.recorder, b.journal, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b.Pool = p
	t.Cleanup(func() {
		for _, s := range p.Status().Servers {
			if s.InFlight != 0 {
				t.Errorf("%s has %d requests in flight at the end", s.URL, s.InFlight)
			}
		}
		p.Close()
	})
	return b
}

// serve starts an H1 server.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// serveTLS starts an H2 and H1 server and writes its authority to a file.
func serveTLS(t *testing.T, h http.HandlerFunc) (_ *httptest.Server, caFile string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, writeCA(t, s.Certificate().Raw)
}

func writeCA(t *testing.T, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// serveRaw answers each connection's request by handle, whatever that makes of it.
func serveRaw(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex // guards the following field
	var open []net.Conn
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			all.Go(func() { defer c.Close(); handle(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return "http://" + l.Addr().String()
}

// answer reads a request's header section and writes text.
func answer(text string) func(net.Conn) {
	return func(c net.Conn) {
		readHeader(c)
		_, _ = io.WriteString(c, text)
	}
}

func readHeader(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil || line == "\r\n" {
			return
		}
	}
}

// untilClosed waits for the other side to close.
func untilClosed(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// reset closes c with a RST.
func reset(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }

// refused is a server that nobody listens at.
func refused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func get(t *testing.T) *http.Request { return request(t, http.MethodGet, nil) }

func request(t *testing.T, method string, content io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "/page", content)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "shop.example.com"
	r.GetBody = nil // what a server receives has none
	return r
}

// fetch sends r and reads the whole content; the error may come from either.
func (b *bench) fetch(r *http.Request) (*http.Response, string, error) {
	resp, err := b.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	content, err := io.ReadAll(resp.Body)
	return resp, string(content), errors.Join(err, resp.Body.Close())
}

// must fetches what can't fail.
func (b *bench) must(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, content, err := b.fetch(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp, content
}

// wantError checks that err is an *Error of that type and status.
func wantError(t *testing.T, err error, kind origin.ErrorType, status int) {
	t.Helper()
	var e *origin.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %s", err, kind)
	}
	if e.Type != kind || e.Status != status {
		t.Errorf("got %s %d (%v), want %s %d", e.Type, e.Status, e, kind, status)
	}
}

// events are the journal's texts that contain part.
func (b *bench) events(part string) (found []string) {
	for _, e := range b.journal.Since(0) {
		if strings.Contains(e.Text, part) {
			found = append(found, e.Text)
		}
	}
	return found
}
