package proxy

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/admission"
	"github.com/anyedge/anyedge/tls/clientauth"
)

// defaultTunnelIdle is longer than the pings of the WebSocket libraries in use, which come every 20 s to 2 min.
const defaultTunnelIdle = 5 * time.Minute

// Cache answers requests from stored responses and fills them from next; *cache.Cache fulfils it. A handler of its that is
// a hitter as well answers plain hits without net/http.
type Cache interface {
	Handler(site string, p cache.Policy, next cache.Origin, fail cache.ErrorWriter) http.Handler
}

// Pool is one origin's servers; *origin.Pool fulfils it. A request comes with an empty URL.Scheme and URL.Host, which
// the pool sets; a URL.Opaque, where set, is the exact target and must stay. The pool sends r.Host unless its options
// say otherwise. A response to an upgrade has status 101 and a Body that is an io.ReadWriteCloser.
type Pool interface {
	RoundTrip(r *http.Request) (*http.Response, error)
}

// ChainOptions is what a chain is built from. Zero values of the second part turn it off.
type ChainOptions struct {
	Node  string                  // this node's name in Via, CDN-Loop and Proxy-Status
	Sites map[string]*SiteOptions // by name
	Pools map[string]Pool         // by origin name
	Cache Cache
	// ClientAuth are the policies of the sites with ClientCertificates, by name.
	ClientAuth map[string]*clientauth.Policy

	Admission  *admission.Limiter  // nil: no limits
	SelfToken  string              // proves that a request is the node's own self check; empty: there are none
	Demand     func(origin string) // told of every request for an origin's content, a hit or not; nil: nobody is
	Unanswered func(origin string) // told of those that got an error of this node's; nil: nobody is
	AccessLog  *slog.Logger        // nil: no access log
	Metrics    *Metrics            // nil: nothing is counted
	TunnelIdle time.Duration       // a tunnel in which nothing moves for that long is closed; 0: 5 minutes
	Journal    *health.Journal     // nil is valid
	Log        *slog.Logger        // nil discards
}

// Chain is the way of a request through the proxy, built once for one configuration and immutable from then on.
type Chain struct {
	options ChainOptions
	sites   *siteTable
	log     *slog.Logger
	handler http.Handler
}

// step is one handler of the chain: it answers a request itself or calls next. It is a method's expression, not its value:
// of that the compiler makes a copy of the step, in which it inlines nothing.
type step struct {
	name string
	wrap func(c *Chain, next http.Handler) http.Handler
}

// NewChain builds a chain; the error names everything in o that doesn't fit together.
func NewChain(o ChainOptions) (*Chain, error) {
	o.TunnelIdle = cmp.Or(o.TunnelIdle, defaultTunnelIdle)
	c := &Chain{options: o, log: o.Log}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if !validPseudonym(o.Node) {
		return nil, errors.New("node.name: must be letters, digits and -._~ only: it is sent in Via and CDN-Loop")
	}
	if o.Cache == nil {
		return nil, errors.New("chain: no cache")
	}
	var err error
	if c.sites, err = c.newSiteTable(); err != nil {
		return nil, err
	}
	c.handler = http.HandlerFunc(c.serve)
	steps := c.steps()
	for i := len(steps) - 1; i >= 0; i-- {
		c.handler = steps[i].wrap(c, c.handler)
	}
	return c, nil
}

// steps is the table of contents of the data path: what happens to a request, in this order.
// The last step calls serve, which leads to the cache and through it to the Forwarder.
func (c *Chain) steps() []step {
	return []step{
		{"selfCheck", (*Chain).selfCheck},                 // the node asking itself
		{"observe", (*Chain).observe},                     // measure, log
		{"rescue", (*Chain).rescue},                       // a panic ends one request, not the process
		{"breakLoop", (*Chain).breakLoop},                 // a request that was here before: 508
		{"admit", (*Chain).admit},                         // limits: 429, 503, 413, 408
		{"checkMethod", (*Chain).checkMethod},             // CONNECT, TRACE, Max-Forwards: 501, 405
		{"readTarget", (*Chain).readTarget},               // host and path: 400
		{"chooseSite", (*Chain).chooseSite},               // host and VIP → site: 421; path → rule: 400
		{"redirect", (*Chain).redirect},                   // the plain port: 308 to https
		{"cleanFields", (*Chain).cleanFields},             // hop-by-hop and spoofed fields, Expect: 400, 417
		{"earlyData", (*Chain).earlyData},                 // before the end of the handshake: 425
		{"clientCertificate", (*Chain).clientCertificate}, // a connection of another site, or without a certificate: 421
		{"upgrade", (*Chain).upgrade},                     // WebSocket
	}
}

// ServeHTTP answers r.
func (c *Chain) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// serve hands r to the cache, with what its path's rule says.
func (c *Chain) serve(w http.ResponseWriter, r *http.Request) {
	rule := exchangeFrom(r.Context()).rule
	c.demand(rule)
	rule.handler.ServeHTTP(w, r)
}

func (c *Chain) demand(r *rule) {
	if c.options.Demand != nil {
		c.options.Demand(r.origin)
	}
}

// admit holds r to the limits.
func (c *Chain) admit(next http.Handler) http.Handler {
	if c.options.Admission == nil {
		return next
	}
	return c.options.Admission.Handler(next, c.fail)
}
