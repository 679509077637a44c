package proxy

import (
	"net/http"
	"sync/atomic"
)

// Server answers the requests of every listener. Its chain can be swapped at any time: a request finishes on the
// chain that it began on, so a reload disturbs none.
type Server struct {
	chain atomic.Pointer[Chain]
}

// NewServer returns a server without a chain; it answers 503 until it gets one.
func NewServer() *Server { return &Server{} }

// Swap makes c answer the requests to come.
func (s *Server) Swap(c *Chain) { s.chain.Store(c) }

// ServeHTTP answers r on the present chain.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := s.chain.Load()
	if c == nil {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	c.ServeHTTP(w, r)
}
