package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/anyedge/anyedge/health"
)

// rescue turns a panic into a 500, or into a broken-off response where one has begun.
// http.ErrAbortHandler is how handlers break off on purpose; it goes through to the server.
func (c *Chain) rescue(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(http.ErrAbortHandler)
			}
			c.log.Error("panic while answering a request", "panic", p, "host", r.Host, "stack", string(debug.Stack()))
			c.options.Journal.Add(health.EventNode, c.options.Node, fmt.Sprintf("panic while answering a request: %v", p))
			c.fail(w, r, &failure{status: http.StatusInternalServerError, kind: "proxy_internal_error", reason: "panic"})
		}()
		next.ServeHTTP(w, r)
	})
}
