package listener

import (
	"errors"
	"net/http"
	"runtime/debug"
)

// ServeHTTP hands a request to the handler: with Alt-Svc for those that came over TLS and TCP. A panic ends the one
// request, and its stack is logged.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer l.contain(r)
	if r.ProtoMajor < 3 { // h3 has looked at the fields
		if r.TLS != nil {
			l.altSvc.add(w.Header())
		}
		if !l.fieldsFit(w, r) {
			return
		}
	}
	l.config.Handler.ServeHTTP(w, r)
}

// contain turns a handler's panic into http.ErrAbortHandler, at which the servers reset the stream or connection
// without a line of their own.
func (l *Listener) contain(r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		l.metrics.panics.Inc()
		l.log.Error("a handler panicked", "method", r.Method, "host", r.Host, "panic", p, "stack", string(debug.Stack()))
	}
	panic(http.ErrAbortHandler)
}
