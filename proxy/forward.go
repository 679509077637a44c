package proxy

import (
	"fmt"
	"net/http"

	"golang.org/x/net/http/httpguts"
)

// Forwarder sends requests to one origin and returns its responses, each without what belongs to the hop before and
// with what belongs to the hop after. It implements cache.Origin; its methods may be called concurrently.
type Forwarder struct {
	node   string
	origin string
	pool   Pool
	hsts   bool // the site has its own Strict-Transport-Security
}

// NewForwarder returns a forwarder to the origin with that name, whose servers pool knows.
func NewForwarder(node, origin string, pool Pool) *Forwarder {
	return &Forwarder{node: node, origin: origin, pool: pool}
}

// RoundTrip sends r on and returns the response when its header section has come. Content streams both ways. Errors
// name the origin and wrap the pool's.
func (f *Forwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := f.roundTrip(r, f.outgoing(r))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil, f.reject(resp, &failure{kind: "http_protocol_error", reason: "unasked_upgrade"})
	}
	cleanResponse(resp.Header)
	f.ownHSTS(resp.Header)
	return resp, nil
}

// roundTrip sends out, made from r, and checks the response.
func (f *Forwarder) roundTrip(r, out *http.Request) (*http.Response, error) {
	resp, err := f.pool.RoundTrip(out)
	if err != nil {
		return nil, &originError{origin: f.origin, err: err}
	}
	if resp.Request != nil && resp.Request.URL != nil {
		server := resp.Request.URL.Host
		exchangeFrom(r.Context()).server.Store(&server)
	}
	if !validStatus(resp.StatusCode) {
		return nil, f.reject(resp, &failure{kind: "http_protocol_error", reason: "status"})
	}
	for key := range resp.Trailer {
		if !httpguts.ValidTrailerHeader(key) {
			delete(resp.Trailer, key)
		}
	}
	appendMember(resp.Header, "Via", httpDigits(resp.ProtoMajor, resp.ProtoMinor)+" "+f.node)
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
