package origin

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/origin/h1"
)

// send makes one try at s, which holds a place for it since began. sent says whether the server may have seen any of the request.
func (p *Pool) send(s *server, began time.Time, r *http.Request, more []Field, content *upload) (_ *http.Response, sent bool, _ error) {
	x := &exchange{pool: p, server: s, client: r.Context(), ctx: r.Context(), began: began}
	resp, err := x.ask(r, more, content)
	if err != nil {
		return nil, x.connected.Load(), x.unanswered(err, content)
	}
	x.received(resp)
	return resp, true, nil
}

// ask asks over the connections that r goes over.
func (x *exchange) ask(r *http.Request, more []Field, content *upload) (*http.Response, error) {
	t := x.server.transports.Load()
	if h1.Takes(r) {
		x.plain = h1.Request{Request: r, Host: x.pool.hostOf(x.server, r), Fields: more, Connected: x}
		resp, err := t.roundTrip(&x.plain)
		if err == nil {
			resp.Request = x.server.named
		}
		return resp, err
	}
	x.ctx, x.cancel = context.WithCancelCause(r.Context())
	out, err := x.pool.outgoing(traced(x.ctx, x.Connected), x.server, r, more, content)
	if err != nil {
		return nil, &unsentError{err}
	}
	return t.of(out).RoundTrip(out)
}

// unsentError is why a request can't be made; nobody is to blame but its content.
type unsentError struct{ error }

// Unwrap returns the cause.
func (e *unsentError) Unwrap() error { return e.error }

// traced has got told of connections.
func traced(ctx context.Context, got func(reused bool)) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { got(c.Reused) }})
}

// Connected notes that a connection was had, and how long a new one took.
func (x *exchange) Connected(reused bool) {
	x.connected.Store(true)
	if !reused {
		x.server.connects.observe(time.Since(x.began))
	}
}

// hostOf is what s is told that r is for.
func (p *Pool) hostOf(s *server, r *http.Request) string {
	return cmp.Or(p.options.Host, r.Host, s.url.Host)
}

// outgoing is r as net/http sends it to s: a copy that shares the fields, unless there are more, and the trailers, which are
// filled in while the content is read.
func (p *Pool) outgoing(ctx context.Context, s *server, r *http.Request, more []Field, content *upload) (*http.Request, error) {
	out := r.WithContext(ctx)
	u := *r.URL
	u.Scheme, u.Host = s.url.Scheme, s.url.Host
	out.URL, out.Host = &u, p.hostOf(s, r)
	if len(more) > 0 {
		out.Header = merged(r.Header, more)
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

// merged are fields with more in place of those of the same names.
func merged(h http.Header, more []Field) http.Header {
	all := make(http.Header, len(h)+len(more))
	maps.Copy(all, h)
	for _, f := range more {
		all[f.Name] = []string{f.Value}
	}
	return all
}

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
func (x *exchange) unanswered(err error, content *upload) error {
	x.over(nil)
	defer x.pool.release(x.server)
	var unsent *unsentError
	if errors.As(err, &unsent) {
		return unsent.error
	}
	if clientLeft(x.client) {
		x.pool.canceled(x.server)
		return context.Cause(x.client)
	}
	if err := content.failure(); err != nil {
		x.pool.canceled(x.server)
		return err
	}
	connected := x.connected.Load()
	e := classify(x.server.url.String(), err, connected)
	x.pool.failed(x.server, x.began, string(e.Type), e)
	x.pool.reporter.Fill(x.pool.name, health.Fill{Unconnected: !connected, Server: x.server.url.Host, Detail: e.Error()})
	return e
}
