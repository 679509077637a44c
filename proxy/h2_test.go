package proxy_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/h2"
	"github.com/anyedge/anyedge/proxy/hitpath"
	"github.com/anyedge/anyedge/proxy/hitpath/hitpathtest"
	"github.com/anyedge/anyedge/proxy/listener"
)

// serveH2 has s hand over its H2 connections to the server of H2, with what answers hits; nil for none.
func (e *edge) serveH2(t *testing.T, s *http.Server, hits *hitpath.Server, info *listener.Info) {
	server := &h2.Server{
		Handler: e.Server, Hits: hits, Context: listener.WithInfo(context.Background(), info), Log: slog.New(slog.DiscardHandler),
		Header: 1 << 20, Streams: 100, IdleTimeout: time.Minute, SendIdle: time.Minute,
	}
	s.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		"h2": func(_ *http.Server, c *tls.Conn, _ http.Handler) {
			served := server.NewConn(c, hitpathtest.Unheld{})
			t.Cleanup(served.Leave)
			served.Serve()
		},
	}
}
