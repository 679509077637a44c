package h2

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/anyedge/anyedge/proxy/origin/h1"
)

// Client sends requests to one server. Its methods may be called concurrently; its fields must be set, and not be changed
// after the first request.
type Client struct {
	Dial      func(ctx context.Context) (net.Conn, error) // connects to the server
	TLS       *tls.Config                                 // over that, which offers H2 by ALPN; nil: none
	Handshake time.Duration                               // of TLS, at most
	FirstByte time.Duration                               // from the request to the end of the response's header section
	Idle      time.Duration                               // without an octet of the content; 0: for ever
	KeepAlive time.Duration                               // how long a connection is kept without a request
	Quiet     time.Duration                               // without a frame, after which the server is asked by PING
	Pong      time.Duration                               // for the answer to that
	MaxHeader int64                                       // of a response, interim ones included, in octets

	mu      sync.Mutex // guards the following fields
	conns   []*conn    // the one that was made first is the first
	dialing *dialing   // nil: nobody is
}

// ErrNotSpoken is why nothing was sent: of what TLS offers the server has chosen another protocol than H2, or none.
var ErrNotSpoken = errors.New("the server doesn't speak H2")

// ErrMalformed is of a response, or of a frame, that RFC 9113 doesn't allow.
var ErrMalformed = errors.New("malformed response")

const (
	// maxTries is how often a request is sent that the server hasn't begun to answer.
	maxTries = 4
	// maxTurns is the same where the server has answered others on the same connection: one that closes a connection after so
	// many requests, as nginx does, refuses the rest of those that are under way, and the same one may be among them again.
	maxTurns = 100
)

// RoundTrip sends r, which h1.Takes has taken, and returns the response when its header section has come. 1xx responses reach
// the hooks of net/http/httptrace. The Body must be closed; it may tell by a method Buffered() int how much of it has come. Its
// trailers are in the response's Trailer once it was read to its end. Errors are ErrNotSpoken, those of Dial and of TLS,
// ErrMalformed, what else the server has done or not done in time (os.ErrDeadlineExceeded), or the cause for which r's context
// ended.
func (c *Client) RoundTrip(r *h1.Request) (*http.Response, error) {
	for try, turn := 1, 1; ; turn++ {
		n, err := c.conn(r.Context())
		if err != nil {
			return nil, err
		}
		resp, err := n.exchange(r)
		var lost *unprocessed
		if err == nil || r.Context().Err() != nil || !errors.As(err, &lost) {
			return resp, err
		}
		if !lost.others {
			try++
		}
		if try > maxTries || turn == maxTurns {
			return nil, err
		}
	}
}

// CloseIdle closes the connections that have no request, and waits until nothing is left of them. Those in use stay, and may be
// idle later.
func (c *Client) CloseIdle() {
	c.mu.Lock()
	all := slices.Clone(c.conns)
	c.mu.Unlock()
	for _, n := range all {
		if n.closeIfIdle() {
			n.work.Wait()
		}
	}
}

// unprocessed is why a request got no answer, of which the server hasn't begun one.
type unprocessed struct {
	error
	others bool // but has answered others on the same connection
}

// Unwrap returns the cause.
func (e *unprocessed) Unwrap() error { return e.error }
