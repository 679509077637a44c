package cache

import (
	"net/http"
	"sync"
	"time"

	"github.com/anyedge/anyedge/cache/encoding"
)

// flushAfter is how long what came may wait in an encoder for more: each flush costs a few bytes, and what comes in the
// same moment belongs together.
const flushAfter = 10 * time.Millisecond

// encodingSource encodes what another source brings, from its begin to its end.
type encodingSource struct {
	source
	coding encoding.Coding
}

func (f *encodingSource) seeks() bool { return false }

func (f *encodingSource) writeAll(x *exchange) error {
	return x.encoding(f.coding, func() error { return f.source.writeAll(x) })
}

// encoding encodes what write writes to the client.
func (x *exchange) encoding(c encoding.Coding, write func() error) error {
	if c == encoding.Identity {
		return write()
	}
	w := &encodingWriter{ResponseWriter: x.w}
	w.encoder = x.coder.passing.Get(c, encodedOutput{w})
	x.w = w
	defer func() { x.w = w.ResponseWriter }()
	err := w.finish(write())
	x.c.figures.encoding.passed(c, w.in, w.out)
	return err
}

// encodingWriter is a client's writer whose content is encoded. A flush waits until nothing more came for a moment; a
// timer carries it out while the handler waits for what comes.
type encodingWriter struct {
	http.ResponseWriter

	mu      sync.Mutex        // guards the following fields, and the writing of content to ResponseWriter
	encoder *encoding.Encoder // nil at the end
	timer   *time.Timer       // nil until it is needed
	armed   bool              // the timer runs
	waits   bool              // something is in the encoder
	in, out int64
}

// Unwrap is for http.ResponseController.
func (w *encodingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write encodes p.
func (w *encodingWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits = true
	n, err := w.encoder.Write(p)
	w.in += int64(n)
	return n, err
}

// FlushError sends what was written so far, soon.
func (w *encodingWriter) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.waits:
		return http.NewResponseController(w.ResponseWriter).Flush()
	case w.armed:
	case w.timer == nil:
		w.timer = time.AfterFunc(flushAfter, w.flushNow)
	default:
		w.timer.Reset(flushAfter)
	}
	w.armed = true
	return nil
}

// flushNow is called by the timer. An error comes back with the next write.
func (w *encodingWriter) flushNow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	if w.encoder != nil && w.encoder.Flush() == nil {
		w.waits = false
		flush(w.ResponseWriter)
	}
}

// finish ends the content, so that it looks complete only where it is.
func (w *encodingWriter) finish(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	if err == nil {
		err = w.encoder.Close()
	}
	w.encoder.Release()
	w.encoder = nil
	return err
}

// encodedOutput is where the encoder writes to, with the lock held.
type encodedOutput struct{ w *encodingWriter }

func (o encodedOutput) Write(p []byte) (int, error) {
	n, err := o.w.ResponseWriter.Write(p)
	o.w.out += int64(n)
	return n, err
}
