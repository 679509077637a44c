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

// awaitInterim begins to pass 1xx responses on to the client; HTTP/1.0 knows none.
func (x *exchange) awaitInterim() *interim {
	if x.interim != nil {
		x.interim = new(interim) // the fill before may still have the first
	} else {
		x.interim = &x.firstInterim
	}
	x.interim.w, x.interim.over = x.w, !x.r.ProtoAtLeast(1, 1)
	return x.interim
}

// trace returns the hook by which i hears of 1xx responses, together with the hooks of ctx.
func (i *interim) trace(ctx context.Context) *httptrace.ClientTrace {
	return httptrace.ContextClientTrace(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: i.got}))
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
