package main

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// demoOrigin is a small site that can die and return at its address.
type demoOrigin struct {
	address  string
	requests atomic.Int64 // that reached it, without the probes

	mu     sync.Mutex // guards the following fields
	server *http.Server
	ended  chan struct{}
}

func startDemoOrigin() (*demoOrigin, error) {
	o := &demoOrigin{address: "127.0.0.1:0"}
	return o, o.live()
}

// live opens the origin, at the same address as before.
func (o *demoOrigin) live() error {
	ln, err := net.Listen("tcp", o.address)
	if err != nil {
		return fmt.Errorf("open the demo's origin: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.address = ln.Addr().String()
	o.server, o.ended = &http.Server{Handler: o.site(), ReadHeaderTimeout: 5 * time.Second}, make(chan struct{})
	go func(s *http.Server, ended chan struct{}) { // die waits for it
		defer close(ended)
		_ = s.Serve(ln) // ends when die closes it
	}(o.server, o.ended)
	return nil
}

// die closes the origin and its connections at once: connection refused from now on.
func (o *demoOrigin) die() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.server == nil {
		return
	}
	_ = o.server.Close()
	<-o.ended
	o.server = nil
}

func (o *demoOrigin) close() { o.die() }

func (o *demoOrigin) site() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		n := o.requests.Add(1)
		w.Header().Set("Cache-Control", "max-age=5")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><title>shop</title><h1>Welcome</h1><p>The origin made this page, its number %d.</p>\n", n)
	})
	mux.HandleFunc("GET /account/", func(w http.ResponseWriter, _ *http.Request) {
		o.requests.Add(1)
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintln(w, "Your account, never stored.")
	})
	return mux
}
