package cache

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
)

// interim passes 1xx responses on to a client while its handler waits for the final one. They are never stored.
type interim struct {
	w http.ResponseWriter

	mu   sync.Mutex // guards over, and w as long as it isn't over
	over bool
}

// newInterim returns one for a request; HTTP/1.0 knows no 1xx.
func newInterim(w http.ResponseWriter, r *http.Request) *interim {
	return &interim{w: w, over: !r.ProtoAtLeast(1, 1)}
}

// traced returns a context whose requests tell i of 1xx responses.
func (i *interim) traced(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: i.got})
}

// got is called on the transport's goroutine. 100 is the server's own to send, when the content is read; 101 never
// comes here, since upgrades don't pass the cache.
func (i *interim) got(code int, fields textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.over || code < http.StatusProcessing {
		return nil
	}
	h := i.w.Header()
	own := maps.Clone(h)
	clear(h)
	maps.Copy(h, http.Header(fields))
	i.w.WriteHeader(code)
	clear(h)
	maps.Copy(h, own)
	return nil
}

// stop ends the passing on; the response writer is the handler's again.
func (i *interim) stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.over = true
}
