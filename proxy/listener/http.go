package listener

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"

	"github.com/anyedge/anyedge/proxy/hitpath"
	_ "github.com/anyedge/anyedge/proxy/listener/xconnect" // extended CONNECT over H2
)

// newHTTPServer returns the server of H1 and H2 for all TCP sockets of the VIP. The context of a request has the Info of
// the socket that it came by.
func (l *Listener) newHTTPServer() *http.Server {
	limits := l.config.Limits
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	s := &http.Server{
		Handler:           l,
		Protocols:         protocols,
		ReadHeaderTimeout: limits.HeaderTimeout,
		IdleTimeout:       limits.IdleTimeout,
		MaxHeaderBytes:    headroom * int(limits.Header),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: int(limits.Streams),
			WriteByteTimeout:     limits.SendIdle,
		},
		ConnContext: l.connContext,
		// OPTIONS * is the handler's like any other request.
		DisableGeneralOptionsHandler: true,
		// What is logged there is the client's doing: handshakes and panics are dealt with elsewhere.
		ErrorLog: slog.NewLogLogger(l.log.Handler(), slog.LevelDebug),
	}
	if hits := l.newHits(); hits != nil {
		hits.ServeH2(s, func(t *tls.Conn) hitpath.Wire { return t.NetConn().(*conn) })
	}
	return s
}

func (l *Listener) connContext(ctx context.Context, c net.Conn) context.Context {
	if _, secure := c.(interface{ ConnectionState() tls.ConnectionState }); secure {
		return WithInfo(ctx, l.secure)
	}
	return WithInfo(ctx, l.cleartext)
}

// newHits returns what answers on one socket before net/http does; nil for nothing.
func (l *Listener) newHits() *hitpath.Server {
	if l.config.Hits == nil {
		return nil
	}
	limits := l.config.Limits
	return &hitpath.Server{
		Finder: l.config.Hits, VIP: l.config.VIP, MoreFields: l.altSvc.line,
		Handler: l, Context: WithInfo(context.Background(), l.secure),
		Block: headroom * limits.Header, Header: limits.Header, HeaderTimeout: limits.HeaderTimeout, IdleTimeout: limits.IdleTimeout, SendIdle: limits.SendIdle,
	}
}
