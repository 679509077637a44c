package cache

import (
	"context"
	"net/http/httptrace"
	"sync"

	"github.com/anyedge/anyedge/cache/lifespan"
)

// life is the context of a fill: it has the values of the request that began it, which it may outlive, and passes 1xx
// responses on to that.
type life struct {
	lifespan.Span
	request context.Context // has the values
	interim *interim        // nil: nobody wants 1xx responses
}

// Value returns the request's, and the hook for 1xx responses.
func (l *life) Value(key any) any {
	switch {
	case key == traceKey && l.interim != nil:
		return l.interim.trace(l.request)
	case key == cancelKey:
		return nil // the request's end isn't its own
	}
	return l.request.Value(key)
}

// traceKey and cancelKey are the keys by which the hooks of httptrace, and what can end a context with a cause, are asked for.
// They aren't told, but any context that is asked learns them.
var (
	traceKey  = asked(func(ctx context.Context) { httptrace.ContextClientTrace(ctx) })
	cancelKey = asked(func(ctx context.Context) { _ = context.Cause(ctx) })
)

func asked(ask func(context.Context)) any {
	c := keyCatcher{Context: context.Background()}
	ask(&c)
	return c.key
}

// keyCatcher is a context that has ended and notes what it is asked for.
type keyCatcher struct {
	context.Context
	key any
}

// Err says that it has ended: of one that hasn't no cause is asked.
func (c *keyCatcher) Err() error { return context.Canceled }

// Value notes the key.
func (c *keyCatcher) Value(key any) any { c.key = key; return nil }

// traced is a request's context that passes 1xx responses on.
type traced struct {
	context.Context
	interim *interim
}

// Value returns the context's, and the hook for 1xx responses.
func (t *traced) Value(key any) any {
	if key == traceKey {
		return t.interim.trace(t.Context)
	}
	return t.Context.Value(key)
}

// AfterFunc has f called at the context's end.
func (t *traced) AfterFunc(f func()) (stop func() bool) { return lifespan.AtEnd(t.Context, f) }

// event happens once.
type event struct {
	mu       sync.Mutex // guards the following fields
	happened bool
	news     chan struct{} // closed when it happens; nil: nobody waits
}

// tell says that it has happened. What was written before is seen by those who hear of it.
func (e *event) tell() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.happened = true
	if e.news != nil {
		close(e.news)
	}
}

func (e *event) has() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.happened
}

// heard is closed when it has happened.
func (e *event) heard() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.news == nil {
		e.news = make(chan struct{})
		if e.happened {
			close(e.news)
		}
	}
	return e.news
}
