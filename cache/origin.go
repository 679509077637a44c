package cache

import "net/http"

// Origin is where the cache fills from; proxy.Forwarder fulfils it.
type Origin interface {
	// RoundTrip sends the request on and returns the response as soon as its header section has come; the content
	// streams from Body, Trailer is complete after io.EOF. Hop-by-hop fields are gone on both sides. 1xx responses
	// reach the httptrace hooks in the request's context. A content that ends before its framing says it should
	// yields an error other than io.EOF from Body.
	RoundTrip(*http.Request) (*http.Response, error)
}

// ErrorWriter answers a client when an origin could not, and nothing stored may be used.
// The proxy's error pages fulfil it.
type ErrorWriter func(w http.ResponseWriter, r *http.Request, err error)
