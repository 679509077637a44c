package h1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"time"

	"github.com/anyedge/anyedge/cache/lifespan"
)

// exchange sends a request, of which head is all, over n, and reads the header section of its response. With an error n is
// closed.
func (c *Client) exchange(n *conn, r *http.Request, head []byte, now time.Time) (*http.Response, error) {
	n.begin()
	ctx := r.Context()
	stop := lifespan.AtEnd(ctx, n.abort)
	resp, b, err := c.ask(n, r, head, now)
	if err != nil {
		stop()
		_ = n.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	b.client, b.conn, b.ctx, b.stop = c, n, ctx, stop
	b.again = !resp.Close && resp.StatusCode >= 200
	if resp.Body == http.NoBody || resp.StatusCode == http.StatusSwitchingProtocols {
		b.end(true)
		return resp, nil
	}
	resp.Body = b
	return resp, nil
}

// ask writes a request and reads the header section of its response.
func (c *Client) ask(n *conn, r *http.Request, head []byte, now time.Time) (*http.Response, *body, error) {
	n.await(now, now.Add(c.FirstByte))
	if err := n.say(head, n.used); err != nil {
		return nil, nil, fmt.Errorf("write the request: %w", err)
	}
	n.bounded, n.room = true, c.MaxHeader
	defer func() { n.bounded = false }()
	for {
		if a := n.plain(r); a != nil {
			a.body.left, a.Body = a.ContentLength, &a.body
			if a.ContentLength == 0 {
				a.Body = http.NoBody
			}
			return &a.Response, &a.body, nil
		}
		section := n.suspect()
		resp, err := http.ReadResponse(n.in, r)
		if err != nil {
			return nil, nil, c.broken(n, err)
		}
		repair(resp, section)
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, &body{content: resp.Body}, nil
		}
		if err := interim(r, resp); err != nil {
			return nil, nil, err
		}
	}
}

// interim tells of a 1xx response.
func interim(r *http.Request, resp *http.Response) error {
	if resp.StatusCode < 100 {
		return fmt.Errorf("malformed HTTP status code %d", resp.StatusCode)
	}
	trace := httptrace.ContextClientTrace(r.Context())
	if trace == nil || trace.Got1xxResponse == nil {
		return nil
	}
	return trace.Got1xxResponse(resp.StatusCode, textproto.MIMEHeader(resp.Header))
}

// broken says what is wrong where no header section was read.
func (c *Client) broken(n *conn, err error) error {
	if !n.begun && errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the server closed the connection: %w", io.EOF) // an answer hasn't begun, so it isn't incomplete
	}
	return fmt.Errorf("read the response: %w", err)
}
