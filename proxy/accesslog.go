package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/proxy/hitpath"
)

// accessLine is what the access log says of every request, whoever answered it.
type accessLine struct {
	client, host, method, target string
	status                       int
	out, in                      int64 // octets of the contents
	took                         time.Duration
	ttfb                         time.Duration // from the request's header section to the first octet of the response; below 0: none
	proto, vip, site, node, id   string
	tls                          hitpath.Security
	outcome                      *cache.Outcome
	userAgent, referer           string
}

// begin are the attributes that every line begins with. Durations are in milliseconds.
func (l *accessLine) begin() []slog.Attr {
	attrs := make([]slog.Attr, 0, 24)
	attrs = append(attrs,
		slog.String("client", l.client),
		slog.String("host", l.host),
		slog.String("method", l.method),
		slog.String("target", l.target),
		slog.Int("status", l.status),
		slog.Int64("bytes_out", l.out),
		slog.Int64("bytes_in", l.in),
		slog.Float64("duration_ms", milliseconds(l.took)),
		slog.String("proto", l.proto),
		slog.String("vip", l.vip),
		slog.String("site", l.site),
		slog.String("node", l.node),
		slog.String("request_id", l.id),
	)
	if l.ttfb >= 0 {
		attrs = append(attrs, slog.Float64("ttfb_ms", milliseconds(l.ttfb)))
	}
	attrs = appendSecurity(attrs, l.tls)
	return appendOutcome(attrs, l.outcome)
}

// appendSecurity adds what the handshake has agreed on: the version, the key exchange, and whether the hello was encrypted.
func appendSecurity(attrs []slog.Attr, s hitpath.Security) []slog.Attr {
	if s.Version == 0 {
		return attrs
	}
	attrs = append(attrs, slog.String("tls", strings.TrimPrefix(tls.VersionName(s.Version), "TLS ")))
	if s.Curve != 0 {
		attrs = append(attrs, slog.String("curve", s.Curve.String()))
	}
	if s.ECH {
		attrs = append(attrs, slog.Bool("ech", true))
	}
	return attrs
}

// write ends the line and writes it.
func (l *accessLine) write(log *slog.Logger, attrs []slog.Attr) {
	if l.userAgent != "" {
		attrs = append(attrs, slog.String("user_agent", l.userAgent))
	}
	if l.referer != "" {
		attrs = append(attrs, slog.String("referer", l.referer))
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "request", attrs...)
}

// logAccess writes one line for a request that is over; complete is false where it ended in an abort.
func (c *Chain) logAccess(ex *exchange, r *http.Request, complete bool) {
	if c.options.AccessLog == nil {
		return
	}
	line := accessLine{
		client: clientAddress(r.RemoteAddr), host: ex.inbound.Host, method: r.Method, target: ex.inbound.RequestURI,
		status: ex.status(complete), out: ex.recorder.written, in: ex.received(), took: time.Since(ex.started), ttfb: -1,
		proto: string(httpVersion(r)), vip: ex.info.VIP, site: ex.siteName(), node: c.options.Node, id: ex.requestID(),
		outcome: &ex.outcome, userAgent: ex.inbound.Header.Get("User-Agent"), referer: ex.inbound.Header.Get("Referer"),
	}
	if !ex.recorder.firstByte.IsZero() {
		line.ttfb = ex.recorder.firstByte.Sub(ex.started)
	}
	if r.TLS != nil {
		line.tls = hitpath.SecurityOf(r.TLS)
	}
	attrs := ex.appendOrigin(line.begin())
	if ex.client != nil {
		attrs = append(attrs, slog.String("client_cert", ex.client.Subject), slog.String("client_cert_serial", ex.client.Serial))
	}
	line.write(c.options.AccessLog, ex.appendFailure(attrs, complete))
}

// status is what the client got; statusClientGone where it left before it got anything.
func (ex *exchange) status(complete bool) int {
	switch {
	case ex.recorder.status != 0:
		return ex.recorder.status
	case ex.failure != nil:
		return ex.failure.status
	case complete:
		return http.StatusOK // what net/http writes for a handler that wrote nothing
	}
	return statusClientGone
}

// received is the number of octets that came as content, or through a tunnel.
func (ex *exchange) received() int64 { return ex.content.received() + ex.tunneled.Load() }

// appendOutcome adds what the cache did, in the words of Cache-Status; nothing where the cache was not asked.
func appendOutcome(attrs []slog.Attr, o *cache.Outcome) []slog.Attr {
	if !o.Hit && o.Fwd == "" {
		return attrs
	}
	result := "hit"
	if !o.Hit {
		result = string(o.Fwd)
	}
	attrs = append(attrs, slog.String("cache", result))
	for _, flag := range [...]struct {
		name string
		set  bool
	}{{"stored", o.Stored}, {"collapsed", o.Collapsed}, {"stale", o.Stale}} {
		if flag.set {
			attrs = append(attrs, slog.Bool(flag.name, true))
		}
	}
	return attrs
}

func (ex *exchange) appendOrigin(attrs []slog.Attr) []slog.Attr {
	if ex.rule != nil {
		attrs = append(attrs, slog.String("origin", ex.rule.origin))
	}
	if server := ex.server.Load(); server != nil {
		attrs = append(attrs, slog.String("server", *server))
	}
	return attrs
}

func (ex *exchange) appendFailure(attrs []slog.Attr, complete bool) []slog.Attr {
	if f := ex.failure; f != nil {
		return append(attrs, slog.String("error", cmp.Or(f.kind, f.reason)), slog.String("reason", f.reason))
	}
	if !complete {
		return append(attrs, slog.String("error", "aborted"))
	}
	return attrs
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
