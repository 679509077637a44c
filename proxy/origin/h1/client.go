package h1

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Client sends requests to one server. Its methods may be called concurrently; its fields must be set, and not be changed
// after the first request.
type Client struct {
	Dial      func(ctx context.Context) (net.Conn, error) // connects to the server
	TLS       *tls.Config                                 // over that; nil: none
	Handshake time.Duration                               // of TLS
	FirstByte time.Duration                               // from the request to the end of the response's header section
	Idle      time.Duration                               // without an octet of the content; 0: for ever
	KeepAlive time.Duration                               // how long an idle connection is kept
	MaxIdle   int                                         // how many are
	MaxHeader int64                                       // of a response, interim ones included, in octets

	mu    sync.Mutex // guards the following fields
	idle  []*conn    // the one that was used last is the last
	prune *time.Timer
}

// heads are buffers for the header sections of requests.
var heads = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keptHead is how large a buffer may be that is kept, in octets.
const keptHead = 16 << 10

// Field is a field line; its name is in canonical form.
type Field struct{ Name, Value string }

// Request is one that Takes has taken, and how it differs from what it was made of, which isn't changed: others may read it.
type Request struct {
	*http.Request
	Host   string  // in place of the request's; empty: that stays
	Fields []Field // in place of those of the same names
	// Connected is told of each connection that the request is sent over, and whether it is an old one. nil: nobody is told.
	Connected Witness
}

// Witness hears of connections.
type Witness interface{ Connected(reused bool) }

// RoundTrip sends r and returns the response when its header section has come. Where a server has closed an old connection
// before it answered, r is sent again over a new one: it has no content, and asks for the same twice. 1xx responses reach
// the hooks of net/http/httptrace. The Body must be closed; it may tell by a method Buffered() int how much of it has come.
// Errors are those of net/http, or the cause for which r's context ended.
func (c *Client) RoundTrip(r *Request) (*http.Response, error) {
	head := heads.Get().(*bytes.Buffer)
	defer func() {
		if head.Cap() <= keptHead {
			head.Reset()
			heads.Put(head)
		}
	}()
	if err := writeHead(head, r); err != nil {
		return nil, err
	}
	now := time.Now()
	if old := c.take(now); old != nil {
		r.Tell(true)
		resp, err := c.exchange(old, r.Request, head.Bytes(), now)
		if err == nil || old.begun || r.Context().Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return resp, err
		}
	}
	fresh, err := c.connect(r.Context())
	if err != nil {
		return nil, err
	}
	r.Tell(false)
	return c.exchange(fresh, r.Request, head.Bytes(), time.Now())
}

// Tell tells the witness, if there is one, that r is about to be sent over a connection.
func (r *Request) Tell(reused bool) {
	if r.Connected != nil {
		r.Connected.Connected(reused)
	}
}

// connect makes a connection.
func (c *Client) connect(ctx context.Context) (*conn, error) {
	n, err := c.Dial(ctx)
	if err != nil {
		return nil, err
	}
	made := newConn(n, c.Idle)
	if c.TLS != nil {
		if err := made.shake(ctx, c); err != nil {
			_ = n.Close()
			return nil, err
		}
	}
	return made, nil
}
