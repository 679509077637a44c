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
)

// exchange sends a request, of which head is all, over n, and reads the header section of its response. With an error n is
// closed.
func (c *Client) exchange(n *conn, r *http.Request, head []byte) (*http.Response, error) {
	n.begun = false
	stop := context.AfterFunc(r.Context(), n.abort)
	resp, err := c.ask(n, r, head)
	if err != nil {
		stop()
		_ = n.Close()
		if r.Context().Err() != nil {
			return nil, context.Cause(r.Context())
		}
		return nil, err
	}
	b := &body{client: c, conn: n, ctx: r.Context(), stop: stop, content: resp.Body, again: !resp.Close && resp.StatusCode >= 200}
	if resp.Body == http.NoBody || resp.StatusCode == http.StatusSwitchingProtocols {
		b.end(true)
		return resp, nil
	}
	resp.Body = b
	return resp, nil
}

// ask writes a request and reads the header section of its response.
func (c *Client) ask(n *conn, r *http.Request, head []byte) (*http.Response, error) {
	_ = n.SetDeadline(time.Now().Add(c.FirstByte))
	if _, err := n.Write(head); err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	n.bounded, n.room = true, c.MaxHeader
	defer func() { n.bounded = false }()
	trace := httptrace.ContextClientTrace(r.Context())
	for {
		resp, err := http.ReadResponse(n.in, r)
		if err != nil {
			return nil, c.broken(n, err)
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			_ = n.SetDeadline(time.Time{})
			return resp, nil
		}
		if resp.StatusCode < 100 {
			return nil, fmt.Errorf("malformed HTTP status code %d", resp.StatusCode)
		}
		if trace != nil && trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(resp.StatusCode, textproto.MIMEHeader(resp.Header)); err != nil {
				return nil, err
			}
		}
	}
}

// broken says what is wrong where no header section was read.
func (c *Client) broken(n *conn, err error) error {
	if !n.begun && errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the server closed the connection: %w", io.EOF) // an answer hasn't begun, so it isn't incomplete
	}
	return fmt.Errorf("read the response: %w", err)
}
