package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
)

// clientContent is a request's content as the chain reads it: counted, and with its errors marked as the client's
// doing, whatever they make of the fill.
type clientContent struct {
	io.ReadCloser
	octets atomic.Int64
	ended  atomic.Bool           // it was read to its end
	err    atomic.Pointer[error] // why it could not be

	reading sync.Mutex // held by Read
}

// watchContent makes r's content a clientContent, and returns it; nil where there is none.
func watchContent(r *http.Request) *clientContent {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	c := &clientContent{ReadCloser: r.Body}
	r.Body = c
	return c
}

// received is the number of octets so far.
func (c *clientContent) received() int64 {
	if c == nil {
		return 0
	}
	return c.octets.Load()
}

// pending reports whether there may be more of it.
func (c *clientContent) pending() bool { return c != nil && !c.ended.Load() }

// Read reads on. Errors other than io.EOF are a *contentError.
func (c *clientContent) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	n, err := c.ReadCloser.Read(p)
	c.octets.Add(int64(n))
	switch {
	case errors.Is(err, io.EOF):
		c.ended.Store(true)
	case err != nil:
		err = &contentError{err}
		c.err.Store(&err)
	}
	return n, err
}

// failure is why the content could not be read, or nil. On H1 a read that fails cancels the request's context before it
// returns, and so the fill, which may be back first: where ctx has ended, failure waits for the read.
func (c *clientContent) failure(ctx context.Context) error {
	if c == nil {
		return nil
	}
	if ctx.Err() != nil {
		c.reading.Lock()
		defer c.reading.Unlock()
	}
	if err := c.err.Load(); err != nil {
		return *err
	}
	return nil
}

// contentError is why a request's content could not be read.
type contentError struct{ err error }

func (e *contentError) Error() string { return "read the request's content: " + e.err.Error() }

func (e *contentError) Unwrap() error { return e.err }

// late reports whether the content stood still for too long: its client is still there.
func (e *contentError) late() bool { return errors.Is(e.err, os.ErrDeadlineExceeded) }

// findContent finds out whether a request that rarely has content has some, where the protocol doesn't say at once:
// on H3, and on H2 when END_STREAM comes later. Towards an H1 origin it makes the difference of a chunked content.
func findContent(r *http.Request) error {
	if r.ContentLength >= 0 || r.ProtoMajor == 1 || r.Body == nil || !rarelyHasContent(r.Method) {
		return nil
	}
	var first [1]byte
	n, err := io.ReadFull(r.Body, first[:])
	switch {
	case n == 1:
		r.Body = &prefixedContent{io.MultiReader(bytes.NewReader(first[:]), r.Body), r.Body}
	case errors.Is(err, io.EOF):
		r.Body, r.ContentLength = http.NoBody, 0
	default:
		return err
	}
	return nil
}

func rarelyHasContent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete:
		return true
	}
	return false
}

type prefixedContent struct {
	io.Reader
	io.Closer
}
