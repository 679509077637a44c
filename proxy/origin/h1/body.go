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
	content io.Reader       // nil: what comes is the content, as it is
	left    int64           // of it, in octets
	again   bool            // the connection may be used again
	over    atomic.Bool
	err     error // how it ended
}

// Buffered is how many octets can be read at once; 0 where that isn't known.
func (b *body) Buffered() int {
	if b.content != nil || b.err != nil || b.over.Load() {
		return 0
	}
	return int(min(int64(b.conn.in.Buffered()), b.left))
}

// Read reads; the error is io.EOF, net/http's, or the cause for which the request's context ended.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.read(p)
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

func (b *body) read(p []byte) (int, error) {
	if b.content != nil {
		return b.content.Read(p)
	}
	n, err := b.conn.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF: //nolint:errorlint // io.Reader returns io.EOF itself
		return n, io.ErrUnexpectedEOF
	}
	return n, err
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
		b.conn.rest()
		b.client.put(b.conn)
		return
	}
	_ = b.conn.Close()
}
