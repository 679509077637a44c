package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/anyedge/anyedge/proxy/origin/h2"
)

// ErrorType is a proxy error type of RFC 9209 §2.3.
type ErrorType string

// The proxy error types that a pool meets.
const (
	DNSTimeout                    ErrorType = "dns_timeout"
	DNSError                      ErrorType = "dns_error"
	DestinationUnroutable         ErrorType = "destination_ip_unroutable"
	ConnectionRefused             ErrorType = "connection_refused"
	ConnectionTerminated          ErrorType = "connection_terminated"
	ConnectionTimeout             ErrorType = "connection_timeout"
	ConnectionLimitReached        ErrorType = "connection_limit_reached"
	TLSProtocolError              ErrorType = "tls_protocol_error"
	TLSCertificateError           ErrorType = "tls_certificate_error"
	TLSAlertReceived              ErrorType = "tls_alert_received"
	HTTPResponseHeaderSectionSize ErrorType = "http_response_header_section_size"
	HTTPProtocolError             ErrorType = "http_protocol_error"
	HTTPResponseIncomplete        ErrorType = "http_response_incomplete"
	HTTPResponseTimeout           ErrorType = "http_response_timeout"
)

// Error is why an origin gave no response, or not all of one. Its text is for logs, not for clients.
type Error struct {
	Type   ErrorType
	Status int    // what the client gets: 502, 503 or 504, as RFC 9209 recommends for Type
	Server string // the server's URL; empty where none was asked
	Err    error
}

func (e *Error) Error() string {
	if e.Server == "" {
		return fmt.Sprintf("%s: %v", e.Type, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v", e.Server, e.Type, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func (t ErrorType) status() int {
	switch t {
	case DNSTimeout, ConnectionTimeout, HTTPResponseTimeout:
		return http.StatusGatewayTimeout
	case ConnectionLimitReached:
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadGateway
	}
}

func newError(t ErrorType, server string, err error) *Error {
	return &Error{Type: t, Status: t.status(), Server: server, Err: err}
}

// classify names what went wrong at server before the response's header section; connected says whether a connection
// was had.
func classify(server string, err error, connected bool) *Error {
	return newError(typeOf(err, connected), server, err)
}

func typeOf(err error, connected bool) ErrorType {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var op *net.OpError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &dns) && dns.IsTimeout:
		return DNSTimeout
	case errors.As(err, &dns):
		return DNSError
	case errors.As(err, &certificate):
		return TLSCertificateError
	case errors.As(err, &op) && op.Op == "remote error": // crypto/tls has no type for an alert over TCP
		return TLSAlertReceived
	case errors.As(err, &record), errors.As(err, &op) && op.Op == "local error":
		return TLSProtocolError
	case errors.Is(err, syscall.ECONNREFUSED):
		return ConnectionRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return DestinationUnroutable
	case isTimeout(err) && connected:
		return HTTPResponseTimeout
	case isTimeout(err):
		return ConnectionTimeout
	case strings.Contains(err.Error(), "response headers exceeded"):
		return HTTPResponseHeaderSectionSize
	case errors.Is(err, h2.ErrMalformed), isMalformed(err):
		return HTTPProtocolError
	case errors.Is(err, io.ErrUnexpectedEOF):
		return HTTPResponseIncomplete
	default:
		return ConnectionTerminated
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// isMalformed knows the errors of net/http for a response that isn't one by their text, since they have no type.
func isMalformed(err error) bool {
	text := err.Error()
	for _, sign := range []string{"malformed", "bad Content-Length", "unsupported transfer encoding", "too many transfer encodings", "PROTOCOL_ERROR"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
