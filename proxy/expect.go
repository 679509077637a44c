package proxy

import (
	"io"
	"net/http"
	"sync"
)

// continueAtRead sends 100 (Continue) once the origin, through the pool, begins to ask for the content (RFC 9110
// §10.1.1). net/http does so on H1; H2 and H3 leave it to the handler.
func continueAtRead(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if r.ProtoMajor == 1 || r.Header.Get("Expect") == "" {
		return w
	}
	cw := &continueWriter{ResponseWriter: w}
	r.Body = &continueContent{r.Body, cw}
	return cw
}

// continueWriter keeps the 100 (Continue), which is written by whoever reads the content, apart from the response.
type continueWriter struct {
	http.ResponseWriter
	mu    sync.Mutex // guards the following field, and ResponseWriter until it is set
	begun bool       // too late for a 100
}

// Unwrap gives http.ResponseController the way to the server's own writer.
func (w *continueWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends an informational response, or begins the final one.
func (w *continueWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = w.begun || status >= 200
	w.ResponseWriter.WriteHeader(status)
}

// Write sends content.
func (w *continueWriter) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

// Flush sends what is buffered.
func (w *continueWriter) Flush() { _ = w.FlushError() }

// FlushError sends what is buffered.
func (w *continueWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *continueWriter) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = true
}

// sendContinue sends 100 (Continue), once, unless the response has begun.
func (w *continueWriter) sendContinue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.begun {
		w.begun = true
		w.ResponseWriter.WriteHeader(http.StatusContinue)
	}
}

type continueContent struct {
	io.ReadCloser
	writer *continueWriter
}

func (c *continueContent) Read(p []byte) (int, error) {
	c.writer.sendContinue()
	return c.ReadCloser.Read(p)
}
