package cache

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
)

// Cache is a shared HTTP cache. All its methods may be called concurrently.
type Cache struct {
	name    string
	log     *slog.Logger
	options atomic.Pointer[Options]
}

// New returns an empty cache. name is the node's, as Cache-Status tells it to clients; r decides what stays in memory
// and belongs to the cache from now on. Close ends it.
func New(o Options, name string, r Residency, log *slog.Logger) *Cache {
	c := &Cache{name: name, log: log}
	c.Configure(o)
	return c
}

// Configure swaps the options in. The memory budget stays as New set it.
func (c *Cache) Configure(o Options) { c.options.Store(&o) }

// Handler answers requests from the cache, and fills it from next. site names the configuration that p comes from; fail
// answers when next could not and nothing stored may be used. The answer's Cache-Status field is set before fail is
// called.
func (c *Cache) Handler(site string, p Policy, next Origin, fail ErrorWriter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})
}

// Close waits for the fills in flight; when ctx ends first, it aborts them, waits for that and returns ctx's error.
func (c *Cache) Close(ctx context.Context) error { return nil }
