//go:build lab

package lab

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// Origin is the server that content is filled from: HTTP on port 8080, HTTPS (H1 and H2) on port 8443.
//
//	GET  /healthz    ok
//	GET  /page       a small page, fresh for a minute
//	GET  /bytes/N    N octets, fresh for a minute, with ETag and ranges; see Content
//	GET  /fresh/N    the same, to be stored by nobody
//	GET  /paced/N    the same, at Pace
//	GET  what AddPage gave it
//	POST /upload     counts and hashes the content; see Uploads
type Origin struct {
	host   *Host
	config *tls.Config

	mu       sync.Mutex // guards the following fields
	servers  []*http.Server
	requests map[string]int
	pages    map[string]string
	uploads  []Upload
	paused   chan struct{} // closed when requests may go on; nil: not paused
	delays   map[netip.Addr]time.Duration
}

// Upload is one request's content.
type Upload struct {
	Size int64
	SHA  string // SHA-256, hexadecimal
}

// Serve starts an origin on the host.
func (h *Host) Serve(ca *Authority) *Origin {
	h.lab.Helper()
	o := &Origin{host: h, config: ca.Server(OriginName), requests: map[string]int{}}
	o.Start()
	h.lab.Cleanup(o.Kill)
	return o
}

// Start serves, also after Kill.
func (o *Origin) Start() {
	o.host.lab.Helper()
	for _, port := range []string{":8080", ":8443"} {
		ln, err := o.host.Listen("tcp", port)
		if err != nil {
			o.host.lab.Fatalf("origin: %v", err)
		}
		s := &http.Server{Handler: o.handler(), TLSConfig: o.config.Clone(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
		serve := s.Serve
		if port == ":8443" {
			serve = func(ln net.Listener) error { return s.ServeTLS(ln, "", "") }
		}
		o.mu.Lock()
		o.servers = append(o.servers, s)
		o.mu.Unlock()
		go func() { _ = serve(ln) }() // ends with Kill
	}
}

// Kill ends the origin as the kernel does for a process that dies: its sockets are closed, requests or not.
func (o *Origin) Kill() {
	o.Resume()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.servers {
		_ = s.Close()
	}
	o.servers = nil
}

// Pause makes every request wait for Resume.
func (o *Origin) Pause() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.paused == nil {
		o.paused = make(chan struct{})
	}
}

// Resume ends Pause.
func (o *Origin) Resume() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.paused != nil {
		close(o.paused)
		o.paused = nil
	}
}

// Delay makes the requests of one client wait for d before they are answered, except for /healthz; 0 ends that.
func (o *Origin) Delay(client netip.Addr, d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.delays == nil {
		o.delays = map[netip.Addr]time.Duration{}
	}
	o.delays[client] = d
}

// delayed waits as Delay says.
func (o *Origin) delayed(r *http.Request) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || r.URL.Path == "/healthz" {
		return
	}
	o.mu.Lock()
	d := o.delays[from.Addr().Unmap()]
	o.mu.Unlock()
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

// Requests is how many requests for a path came.
func (o *Origin) Requests(path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.requests[path]
}

// Uploads lists the contents that were received whole.
func (o *Origin) Uploads() []Upload {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]Upload(nil), o.uploads...)
}

func (o *Origin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /page", servePage)
	mux.HandleFunc("GET /bytes/{size}", func(w http.ResponseWriter, r *http.Request) { serveBytes(w, r, "max-age=60") })
	mux.HandleFunc("GET /fresh/{size}", func(w http.ResponseWriter, r *http.Request) { serveBytes(w, r, "no-store") })
	mux.HandleFunc("GET /paced/{size}", func(w http.ResponseWriter, r *http.Request) {
		serveBytes(&pacedWriter{ResponseWriter: w, request: r, begin: time.Now()}, r, "no-store")
	})
	mux.HandleFunc("POST /upload", o.upload)
	mux.HandleFunc("GET /", o.servePages)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-o.count(r.URL.Path):
			o.delayed(r)
			mux.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
}

// count notes a request and returns what is closed once it may go on.
func (o *Origin) count(path string) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests[path]++
	if o.paused != nil {
		return o.paused
	}
	now := make(chan struct{})
	close(now)
	return now
}

// AddPage has the origin serve a page of HTML, to be stored by nobody.
func (o *Origin) AddPage(path, html string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pages == nil {
		o.pages = map[string]string{}
	}
	o.pages[path] = html
}

func (o *Origin) servePages(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	html, ok := o.pages[r.URL.Path]
	o.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, html)
}

// Pace is how many octets a second /paced sends.
const Pace = 2 << 20

// pacedWriter writes at Pace, a thirty-second of a second's at a time. What a client holds up is made up for.
type pacedWriter struct {
	http.ResponseWriter

	request *http.Request
	begin   time.Time
	written int
}

func (w *pacedWriter) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		var count int
		count, err = w.ResponseWriter.Write(b[:min(len(b), Pace/32)])
		n, b, w.written = n+count, b[count:], w.written+count
		_ = http.NewResponseController(w.ResponseWriter).Flush() // a server's can
		select {
		case <-time.After(time.Until(w.begin.Add(time.Duration(w.written) * time.Second / Pace))):
		case <-w.request.Context().Done():
			return n, w.request.Context().Err()
		}
	}
	return n, err
}

// Page is the content of /page.
const Page = "<!doctype html><title>lab</title><p>The origin's page.\n"

func servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "max-age=60")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, Page)
}

func serveBytes(w http.ResponseWriter, r *http.Request, control string) {
	size, err := strconv.ParseInt(r.PathValue("size"), 10, 64)
	if err != nil || size < 0 {
		http.Error(w, "not a size", http.StatusBadRequest)
		return
	}
	w.Header().Set("Cache-Control", control)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", fmt.Sprintf(`"bytes-%d"`, size))
	http.ServeContent(w, r, "", time.Time{}, Reader(size))
}

func (o *Origin) upload(w http.ResponseWriter, r *http.Request) {
	hash := sha256.New()
	n, err := io.Copy(hash, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	u := Upload{Size: n, SHA: hex.EncodeToString(hash.Sum(nil))}
	o.mu.Lock()
	o.uploads = append(o.uploads, u)
	o.mu.Unlock()
	_, _ = fmt.Fprintf(w, "%d %s\n", u.Size, u.SHA)
}
