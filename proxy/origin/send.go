package origin

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/health"
)

// send makes one try at s, which holds a place for it. sent says whether the server may have seen any of the request.
func (p *Pool) send(s *server, r *http.Request, content *heldContent) (_ *http.Response, sent bool, _ error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	out := p.outgoing(s, r, content).WithContext(httptrace.WithClientTrace(ctx, trace))

	began := time.Now()
	resp, err := s.transportFor(out).RoundTrip(out)
	if err == nil {
		return p.received(s, resp, ctx, cancel, began), true, nil
	}
	cancel(nil)
	p.release(s)
	if clientLeft(r.Context()) {
		return nil, true, context.Cause(r.Context())
	}
	if err := content.failure(); err != nil {
		return nil, true, err // the client's doing, not the server's
	}
	e := classify(s.url.String(), err, connected.Load())
	p.failed(s, e)
	p.reporter.Fill(p.name, health.Fill{FirstByte: time.Since(began), Server: s.url.Host, Detail: e.Error()})
	return nil, connected.Load(), e
}

// outgoing is r as s gets it.
func (p *Pool) outgoing(s *server, r *http.Request, content *heldContent) *http.Request {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host = s.url.Scheme, s.url.Host
	switch {
	case p.options.Host != "":
		out.Host = p.options.Host
	case out.Host == "":
		out.Host = s.url.Host
	}
	if content != nil {
		out.Body = content
	}
	out.Trailer = r.Trailer // filled in while the content is read: not to be a copy
	out.RequestURI = ""     // a server's field, which a client must not set
	return out
}

// transportFor is H1's for upgrades, which H2 has not.
func (s *server) transportFor(r *http.Request) *http.Transport {
	if r.Header.Get("Upgrade") != "" && strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") {
		return s.upgrades
	}
	return s.transport
}

// received makes the end of resp's content the end of the exchange.
func (p *Pool) received(s *server, resp *http.Response, ctx context.Context, cancel context.CancelCauseFunc, began time.Time) *http.Response {
	x := &exchange{pool: p, server: s, ctx: ctx, cancel: cancel, status: resp.StatusCode, firstByte: time.Since(began)}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body = newTunnel(x, resp.Body)
		return resp
	}
	if resp.Body == http.NoBody {
		x.end(nil)
		return resp
	}
	resp.Body = newContent(x, resp.Body, p.options.IdleTimeout)
	return resp
}

// exchange is one request at one server, from the response's header section to its end.
type exchange struct {
	pool      *Pool
	server    *server
	ctx       context.Context
	cancel    context.CancelCauseFunc
	status    int
	firstByte time.Duration
	ended     atomic.Bool
}

// end gives the place back and reports how it went: err is why the content is not whole, nil where it is or nobody
// wanted the rest. Only the first call counts. It returns the error for whoever reads the content.
func (x *exchange) end(err error) error {
	if !x.ended.CompareAndSwap(false, true) {
		return err
	}
	cause := context.Cause(x.ctx)
	x.cancel(nil)
	x.pool.release(x.server)
	if err != nil && errors.Is(cause, context.Canceled) {
		return cause // whoever asked has gone
	}
	fill := health.Fill{OK: x.status < 500, FirstByte: x.firstByte, Server: x.server.url.Host}
	if err != nil {
		t := HTTPResponseIncomplete
		if errors.Is(cause, errIdle) {
			t, err = HTTPResponseTimeout, errIdle
		}
		err = newError(t, x.server.url.String(), err)
		fill.OK, fill.Detail = false, err.Error()
	} else if !fill.OK {
		fill.Detail = x.server.url.Host + " answered " + http.StatusText(x.status)
	}
	x.judge(err)
	x.pool.reporter.Fill(x.pool.name, fill)
	return err
}

// judge counts the exchange for or against the server. A 502, 503 or 504 says that it can't serve; a 500 or 501 is its
// application's own answer to one request, which another server would repeat.
func (x *exchange) judge(err error) {
	switch {
	case err != nil:
		x.pool.failed(x.server, err)
	case x.status >= http.StatusBadGateway && x.status <= http.StatusGatewayTimeout:
		x.pool.failed(x.server, errors.New("answered "+http.StatusText(x.status)))
	default:
		x.pool.succeeded(x.server)
	}
}
