package proxy

import (
	"context"
	"net/http"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/proxy/listener"
)

// statusClientGone is logged, never sent: the client left before it was answered. The number is nginx's.
const statusClientGone = 499

// observe opens the exchange, and measures and logs it when it is over, even when it ends in a panic.
func (c *Chain) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := &exchange{
			Context: r.Context(), info: listener.InfoFrom(r.Context()), started: time.Now(), inbound: r,
			recorder: recorder{ResponseWriter: w, request: r, timed: c.options.AccessLog != nil}, protocol: extendedConnect(r),
		}
		ctx := context.Context(ex)
		if c.options.AccessLog != nil {
			ctx = cache.WithOutcome(ctx, &ex.outcome)
		}
		ex.request = *r.WithContext(ctx)
		r = &ex.request
		ex.content = watchContent(r)
		ex.recorder.content = ex.content
		if r.ProtoMajor == 1 && r.ContentLength != 0 {
			// Origins may answer while they are still being asked; and no refusal of ours waits for a content that
			// net/http would read first.
			_ = http.NewResponseController(w).EnableFullDuplex()
		}
		c.options.Metrics.begin()
		complete := false
		defer func() {
			c.options.Metrics.end(ex, r, complete)
			c.logAccess(ex, r, complete)
		}()
		next.ServeHTTP(&ex.recorder, r)
		complete = true
	})
}

// recorder notes what is sent. It is the one ResponseWriter of the chain's own.
type recorder struct {
	http.ResponseWriter
	request   *http.Request
	content   *clientContent // of the request; nil: none
	status    int            // 0: nothing sent
	written   int64
	timed     bool // firstByte is wanted
	firstByte time.Time
	hsts      string // of the site, where the client came by TLS; empty: none
}

// Unwrap gives http.ResponseController the way to the server's own writer.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends an informational response, or begins the final one.
func (w *recorder) WriteHeader(status int) {
	if status >= 200 {
		w.begin(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends content.
func (w *recorder) Write(p []byte) (int, error) {
	w.begin(http.StatusOK)
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	return n, err
}

// Flush sends what is buffered.
func (w *recorder) Flush() { _ = w.FlushError() }

// FlushError sends what is buffered.
func (w *recorder) FlushError() error {
	w.begin(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// begin notes the final status. An H1 connection whose content isn't read to its end by then is not used again:
// net/http may give up on the rest, and what comes of it later must not be taken for a request.
func (w *recorder) begin(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	if w.timed {
		w.firstByte = time.Now()
	}
	w.addHSTS()
	if w.request.ProtoMajor == 1 && w.content.pending() {
		w.Header().Set("Connection", "close")
	}
}
