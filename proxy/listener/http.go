package listener

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"

	"github.com/anyedge/anyedge/proxy/h2"
	"github.com/anyedge/anyedge/proxy/hitpath"
)

// newHTTPServer returns the server of H1 for all TCP sockets of the VIP. The context of a request has the Info of
// the socket that it came by.
func (l *Listener) newHTTPServer() *http.Server {
	limits := l.config.Limits
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           l,
		Protocols:         protocols,
		ReadHeaderTimeout: limits.HeaderTimeout,
		IdleTimeout:       limits.IdleTimeout,
		MaxHeaderBytes:    headroom * int(limits.Header),
		ConnContext:       l.connContext,
		// OPTIONS * is the handler's like any other request.
		DisableGeneralOptionsHandler: true,
		// What is logged there is the client's doing: handshakes and panics are dealt with elsewhere.
		ErrorLog: slog.NewLogLogger(l.log.Handler(), slog.LevelDebug),
	}
}

// newH2 returns the server of H2 for one socket.
func (l *Listener) newH2() *h2.Server {
	limits := l.config.Limits
	return &h2.Server{
		Handler: l, Hits: l.newHits(), Context: l.requests, Log: l.log,
		Header: headroom * limits.Header, Streams: int(limits.Streams), IdleTimeout: limits.IdleTimeout, SendIdle: limits.SendIdle,
		RestAfter: restAfter,
	}
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
		Handler: l, Context: l.requests,
		Header: limits.Header, HeaderTimeout: limits.HeaderTimeout, IdleTimeout: limits.IdleTimeout, SendIdle: limits.SendIdle,
		RestAfter: restAfter,
	}
}
