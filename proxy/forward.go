package proxy

import (
	"fmt"
	"net/http"

	"golang.org/x/net/http/httpguts"

	"github.com/anyedge/anyedge/proxy/origin"
)

// Forwarder sends requests to one origin and returns its responses, each without what belongs to the hop before and
// with what belongs to the hop after. It implements cache.Origin; its methods may be called concurrently.
type Forwarder struct {
	node   string
	origin string
	pool   Pool
	sender sender // the pool, where it can send what needs no request of its own; nil: it can't
	via    vias
	hsts   bool // the site has its own Strict-Transport-Security
}

// sender sends a request, which it doesn't change, with more fields in place of those of the same names; *origin.Pool
// fulfils it.
type sender interface {
	Send(r *http.Request, more []origin.Field) (*http.Response, error)
}

// NewForwarder returns a forwarder to the origin with that name, whose servers pool knows.
func NewForwarder(node, name string, pool Pool) *Forwarder {
	f := &Forwarder{node: node, origin: name, pool: pool, via: newVias(node)}
	f.sender, _ = pool.(sender)
	return f
}

// RoundTrip sends r on and returns the response when its header section has come. Content streams both ways. Errors
// name the origin and wrap the pool's.
func (f *Forwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := f.send(r)
	if resp, err = f.check(r, resp, err); err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil, f.reject(resp, &failure{kind: "http_protocol_error", reason: "unasked_upgrade"})
	}
	cleanResponse(resp.Header)
	if resp.StatusCode == http.StatusNoContent {
		delete(resp.Header, "Content-Length") // RFC 9110 §8.6: an origin may not say it, and we neither
	}
	f.ownHSTS(resp.Header)
	return resp, nil
}

// send sends what r becomes. A request without content shares r's fields, which is cheaper than to copy them.
func (f *Forwarder) send(r *http.Request) (*http.Response, error) {
	if f.sender == nil || r.ContentLength != 0 || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return f.pool.RoundTrip(f.outgoing(r))
	}
	return f.sender.Send(f.bare(r), f.announced(r))
}

// bare is a request without content as the pool takes it: without what a server has noted in it.
func (f *Forwarder) bare(r *http.Request) *http.Request {
	if !r.Close && (r.Body == nil || r.Body == http.NoBody) && len(r.Trailer)+len(r.TransferEncoding) == 0 && r.URL.User == nil && r.URL.Fragment == "" {
		return r
	}
	out := &http.Request{
		Method: r.Method, URL: originURL(r.URL), Host: r.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.Header, Body: http.NoBody,
	}
	return out.WithContext(r.Context())
}

// roundTrip sends out, made from r, and checks the response.
func (f *Forwarder) roundTrip(r, out *http.Request) (*http.Response, error) {
	resp, err := f.pool.RoundTrip(out)
	return f.check(r, resp, err)
}

// check checks what came as the response to r, and says in it that it was here.
func (f *Forwarder) check(r *http.Request, resp *http.Response, err error) (*http.Response, error) {
	if err != nil {
		return nil, &originError{origin: f.origin, err: err}
	}
	if resp.Request != nil && resp.Request.URL != nil {
		exchangeFrom(r.Context()).server.Store(&resp.Request.URL.Host)
	}
	if !validStatus(resp.StatusCode) {
		return nil, f.reject(resp, &failure{kind: "http_protocol_error", reason: "status"})
	}
	for key := range resp.Trailer {
		if !httpguts.ValidTrailerHeader(key) {
			delete(resp.Trailer, key)
		}
	}
	resp.Header["Via"] = []string{withMember(resp.Header["Via"], f.via.of(resp.ProtoMajor, resp.ProtoMinor))}
	return resp, nil
}

// validStatus reports whether a final response may have that status (RFC 9110 §15).
func validStatus(status int) bool {
	return status == http.StatusSwitchingProtocols || 200 <= status && status <= 599
}

// reject drops a response that breaks the protocol.
func (f *Forwarder) reject(resp *http.Response, why *failure) error {
	_ = resp.Body.Close()
	why.status = http.StatusBadGateway
	return &originError{origin: f.origin, err: fmt.Errorf("response with status %d: %w", resp.StatusCode, why)}
}

// originError says which origin a request failed at. The name is the configuration's, fit for clients to see.
type originError struct {
	origin string
	err    error
}

func (e *originError) Error() string { return "origin " + e.origin + ": " + e.err.Error() }

func (e *originError) Unwrap() error { return e.err }
