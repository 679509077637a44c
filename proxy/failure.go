package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/proxy/admission"
	"github.com/anyedge/anyedge/proxy/origin"
)

// failure is an answer of our own: what the client gets to see, and what the access log says beyond that. It is an
// error, so that whoever fails can return one.
type failure struct {
	status     int
	kind       string // the proxy error type, RFC 9209 §2.3
	reason     string // for the log: which check, which limit
	origin     string // the origin's name, where one was asked
	retryAfter time.Duration
}

func (f *failure) Error() string { return f.kind + " (" + f.reason + ")" }

// refusal is an answer to a request that can't be served, whoever the origin is.
func refusal(status int, reason string) *failure {
	return &failure{status: status, kind: "http_request_error", reason: reason}
}

// failureOf says what the client is told of err.
func failureOf(err error) *failure {
	f := *classify(err)
	var at *originError
	if errors.As(err, &at) {
		f.origin = at.origin
	}
	if errors.Is(err, cache.ErrMustRevalidate) && f.status == http.StatusBadGateway {
		f.status = http.StatusGatewayTimeout
	}
	return &f
}

// overloadedRetry is about how long routes take to follow an overload, to a node with room.
const overloadedRetry = 30 * time.Second

func classify(err error) *failure {
	var own *failure
	var limit *admission.Error
	var content *contentError
	var pool *origin.Error
	switch {
	case errors.As(err, &limit):
		return limitFailure(limit)
	case errors.As(err, &own):
		return own
	case errors.As(err, &content) && content.late():
		return refusal(http.StatusRequestTimeout, string(admission.ReasonContentIdle))
	case errors.As(err, &content):
		return refusal(http.StatusBadRequest, content.Error())
	case errors.As(err, &pool):
		return &failure{status: pool.Status, kind: string(pool.Type), reason: pool.Error()}
	case errors.Is(err, cache.ErrOverloaded):
		return &failure{status: http.StatusServiceUnavailable, kind: "proxy_internal_response", reason: "overloaded", retryAfter: overloadedRetry}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{status: http.StatusGatewayTimeout, kind: "http_response_timeout", reason: err.Error()}
	}
	return &failure{status: http.StatusBadGateway, kind: "connection_terminated", reason: err.Error()}
}

// isLimit reports whether err is a limit's: its client is still there, even where net/http ended the request's context.
func isLimit(err error) bool {
	var limit *admission.Error
	var content *contentError
	return errors.As(err, &limit) || errors.As(err, &content) && content.late()
}

func limitFailure(e *admission.Error) *failure {
	f := &failure{status: e.Status, kind: "http_request_error", reason: string(e.Reason), retryAfter: e.RetryAfter}
	if e.Status >= 500 {
		f.kind = "proxy_internal_response"
	}
	return f
}
