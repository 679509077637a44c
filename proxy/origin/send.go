package origin

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/origin/h1"
)

// send makes one try at s, which holds a place for it. sent says whether the server may have seen any of the request.
func (p *Pool) send(s *server, r *http.Request, content *upload) (_ *http.Response, sent bool, _ error) {
	x := &exchange{pool: p, server: s, client: r.Context(), began: time.Now()}
	x.ctx, x.cancel = context.WithCancelCause(r.Context())
	var connected atomic.Bool
	got := func(reused bool) { s.connected(x.began, &connected, reused) }
	t := s.transports.Load()
	plain := t.isPlain(r)
	ctx := x.ctx
	if !plain {
		ctx = traced(ctx, got)
	}
	out, err := p.outgoing(ctx, s, r, content)
	if err != nil {
		x.cancel(nil)
		p.release(s)
		return nil, false, err
	}
	var resp *http.Response
	if plain {
		resp, err = t.plain.RoundTrip(out, got)
	} else {
		resp, err = t.of(out).RoundTrip(out)
	}
	if err != nil {
		return nil, connected.Load(), x.unanswered(err, content, connected.Load())
	}
	x.received(resp)
	return resp, true, nil
}

// traced has got told of connections.
func traced(ctx context.Context, got func(reused bool)) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { got(c.Reused) }})
}

// connected notes that a connection was had, and how long a new one took since began.
func (s *server) connected(began time.Time, had *atomic.Bool, reused bool) {
	had.Store(true)
	if !reused {
		s.connects.observe(time.Since(began))
	}
}

// outgoing is r as s gets it: a copy that shares the fields and the trailers, which are filled in while the content is
// read.
func (p *Pool) outgoing(ctx context.Context, s *server, r *http.Request, content *upload) (*http.Request, error) {
	out := r.WithContext(ctx)
	u := *r.URL
	u.Scheme, u.Host = s.url.Scheme, s.url.Host
	out.URL = &u
	switch {
	case p.options.Host != "":
		out.Host = p.options.Host
	case out.Host == "":
		out.Host = s.url.Host
	}
	out.RequestURI = "" // a server's field, which a client must not set
	if content == nil {
		return out, nil
	}
	// With GetBody, net/http itself replaces an idle connection that the server closed as the request was written.
	out.GetBody = content.next
	var err error
	out.Body, err = content.next()
	return out, err
}

// isPlain tells whether r goes over t.plain.
func (t *transports) isPlain(r *http.Request) bool { return t.plain != nil && h1.Takes(r) }

// of is H1's for upgrades, which H2 has not.
func (t *transports) of(r *http.Request) *http.Transport {
	if r.Header.Get("Upgrade") != "" && strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") {
		return t.upgrades
	}
	return t.usual
}

// received makes the end of resp's content the end of the exchange.
func (x *exchange) received(resp *http.Response) {
	x.status, x.firstByte = resp.StatusCode, time.Since(x.began)
	x.server.firstBytes.observe(x.firstByte)
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		resp.Body = newTunnel(x, resp.Body)
	case resp.Body == http.NoBody:
		_ = x.end(nil)
	default:
		resp.Body = newContent(x, resp.Body, x.pool.options.IdleTimeout)
	}
}

// unanswered ends an exchange that brought no response, and says whose fault that is.
func (x *exchange) unanswered(err error, content *upload, connected bool) error {
	x.cancel(nil)
	defer x.pool.release(x.server)
	if clientLeft(x.client) {
		x.pool.canceled(x.server)
		return context.Cause(x.client)
	}
	if err := content.failure(); err != nil {
		x.pool.canceled(x.server)
		return err
	}
	e := classify(x.server.url.String(), err, connected)
	x.pool.failed(x.server, x.began, string(e.Type), e)
	x.pool.reporter.Fill(x.pool.name, health.Fill{Unconnected: !connected, Server: x.server.url.Host, Detail: e.Error()})
	return e
}
