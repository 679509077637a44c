package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// clientContent is a request's content as the rest of the chain reads it: counted, and with its errors marked as the
// client's doing, whatever they make of the fill.
type clientContent struct {
	io.ReadCloser
	ex *exchange

	reading sync.Mutex            // held by Read
	err     atomic.Pointer[error] // why it could not be read to its end
}

// watchContent makes r's content a clientContent.
func watchContent(ex *exchange, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	ex.content = &clientContent{ReadCloser: r.Body, ex: ex}
	r.Body = ex.content
}

// Read reads on. Errors other than io.EOF are a *contentError.
func (c *clientContent) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	n, err := c.ReadCloser.Read(p)
	c.ex.received.Add(int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
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
