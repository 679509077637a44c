package h1

import (
	"context"
	"io"
	"sync/atomic"
)

// body is a response's content. One reader at a time; Close may be called meanwhile.
type body struct {
	client  *Client
	conn    *conn
	ctx     context.Context // of the request
	stop    func() bool     // keeps its end from closing the connection
	content io.ReadCloser
	again   bool // the connection may be used again
	over    atomic.Bool
	err     error // how it ended
}

// Read reads; the error is io.EOF, net/http's, or the cause for which the request's context ended.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.content.Read(p)
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF: //nolint:errorlint // io.Reader returns io.EOF itself
		b.err = err
	case b.ctx.Err() != nil:
		b.err = context.Cause(b.ctx)
	default:
		b.err = err
	}
	b.end(b.err == io.EOF) //nolint:errorlint // see above
	return n, b.err
}

// Close gives the rest of the content up, and the connection with it.
func (b *body) Close() error {
	b.end(false)
	return nil
}

// end leaves the connection to the next request, if the content was read whole and nothing came behind it.
func (b *body) end(whole bool) {
	if !b.over.CompareAndSwap(false, true) {
		return
	}
	if b.stop() && whole && b.again && b.conn.in.Buffered() == 0 {
		b.client.put(b.conn)
		return
	}
	_ = b.conn.Close()
}
