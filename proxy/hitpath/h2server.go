package hitpath

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"golang.org/x/net/http2"
)

// never is a timeout that others come before.
const never = 100 * 365 * 24 * time.Hour

// ServeH2 has hs serve its H2 connections over TLS behind NewH2Conn, each on its wire. It is called before hs serves, and
// without a TLSConfig in it. The H2 server is that of golang.org/x/net/http2, the same as net/http's. It is deprecated for
// those who only want to serve H2; net/http takes no other connection for H2 than a *tls.Conn.
func (s *Server) ServeH2(hs *http.Server, wire func(*tls.Conn) Wire) {
	//nolint:staticcheck // see above; the connection has its own timeout
	h2 := &http2.Server{IdleTimeout: never, MaxReadFrameSize: maxFrame}
	_ = http2.ConfigureServer(hs, h2) //nolint:staticcheck // an error is of the TLSConfig
	hs.TLSNextProto["h2"] = func(_ *http.Server, t *tls.Conn, h http.Handler) {
		//nolint:staticcheck // see above
		o := &http2.ServeConnOpts{Context: contextOf(h), BaseConfig: hs, Handler: h}
		h2.ServeConn(s.NewH2Conn(t, wire(t)), o) //nolint:staticcheck // see above
	}
}

// contextOf is the context of a connection's requests, which net/http hands over with their handler.
func contextOf(h http.Handler) context.Context {
	if c, ok := h.(interface{ BaseContext() context.Context }); ok {
		return c.BaseContext()
	}
	return context.Background()
}
