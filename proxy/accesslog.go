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
)

// logAccess writes one line for a request that is over; complete is false where it ended in an abort. Durations are in
// milliseconds; ttfb is from the request's header section to the first octet of the response.
func (c *Chain) logAccess(ex *exchange, r *http.Request, complete bool) {
	if c.options.AccessLog == nil {
		return
	}
	attrs := make([]slog.Attr, 0, 24)
	attrs = append(attrs,
		slog.String("client", clientAddress(r.RemoteAddr)),
		slog.String("host", ex.inbound.Host),
		slog.String("method", r.Method),
		slog.String("target", ex.inbound.RequestURI),
		slog.Int("status", ex.status(complete)),
		slog.Int64("bytes_out", ex.recorder.written),
		slog.Int64("bytes_in", ex.received()),
		slog.Float64("duration_ms", milliseconds(time.Since(ex.started))),
		slog.String("proto", string(httpVersion(r))),
		slog.String("vip", ex.info.VIP),
		slog.String("site", ex.siteName()),
		slog.String("node", c.options.Node),
		slog.String("request_id", ex.requestID()),
	)
	if !ex.recorder.firstByte.IsZero() {
		attrs = append(attrs, slog.Float64("ttfb_ms", milliseconds(ex.recorder.firstByte.Sub(ex.started))))
	}
	attrs = appendTLS(attrs, r.TLS)
	attrs = appendOutcome(attrs, &ex.outcome)
	attrs = ex.appendOrigin(attrs)
	attrs = ex.appendFailure(attrs, complete)
	for _, f := range [...]struct{ attr, field string }{{"user_agent", "User-Agent"}, {"referer", "Referer"}} {
		if v := ex.inbound.Header.Get(f.field); v != "" {
			attrs = append(attrs, slog.String(f.attr, v))
		}
	}
	c.options.AccessLog.LogAttrs(context.Background(), slog.LevelInfo, "request", attrs...)
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

func appendTLS(attrs []slog.Attr, state *tls.ConnectionState) []slog.Attr {
	if state == nil {
		return attrs
	}
	return append(attrs, slog.String("tls", strings.TrimPrefix(tls.VersionName(state.Version), "TLS ")))
}

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
