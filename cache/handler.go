package cache

import (
	"net/http"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// handler answers the requests of one site or path. It is one line of the processor's cache: a hit waits once for it.
type handler struct {
	c      *Cache
	site   *site
	usual  bool // see Policy.isUsual: the policy, which is memory of its own, needn't be looked at
	policy *Policy
	next   Origin
	fail   ErrorWriter
}

// exchange is one request on its way through the cache.
type exchange struct {
	*handler
	client       client
	w            http.ResponseWriter // the client, or what encodes towards it
	r            *http.Request
	options      *Options
	preset       Preset
	query        request
	hash         uint64
	key          []byte
	keyRoom      [keyRoom]byte
	text         string    // the same, once it was wanted
	rawKey       string    // the key before No-Vary-Search; empty when that changed nothing
	looked       time.Time // when it looked for a stored response
	found        Found
	interim      *interim
	firstInterim interim

	fill    *fill // waited for, nil for none
	reader  *streamReader
	leads   bool
	unwatch func() bool // of the leader's own end
	usable  bool        // what the fill brings answers this request
	heir    bool        // a leader failed already
	tries   int         // fills that were waited for
	err     error
	late    *lateHead // the header section of an answer whose content may be lost

	coder   *coder // nil when nothing is encoded
	encodes bool   // it has one of the coder's turns
	whole   bool   // no range: it may be one of another representation

	status     cacheStatus
	alone      bool  // it waited for no other's fill, since what they bring can't be shared
	fromStored int64 // octets of stored contents that answer it
}

// client counts what is sent to it.
type client struct {
	http.ResponseWriter
	sent int64 // octets of the content
}

// Unwrap gives http.ResponseController the way to the server's own writer.
func (c *client) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// Write sends content.
func (c *client) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.sent += int64(n)
	return n, err
}

// step is one state of a request; it returns the next one, nil at the end. In order:
//
//	receive ─▶ lookup ─▶ serve                                        hit
//	   │          │ ▲       ▲
//	   │          ▼ │       └────────────────────────┐
//	   │        fetch ─┬▶ lead ──┬▶ serveUpdated      │             validated, or come at once
//	   │               └▶ await ─┼▶ serveStream       │             miss, collapsed
//	   │                   │     ├▶ serveResponse     │             not to be stored
//	   ▼                   │     └▶ fail ─▶ serve, stale or answer with an error
//	  pass ◀───────────────┘
//
// With a content in slices, serve and serveStream go back to lookup when it turns out that the origin has another one.
type step func(*exchange) step

// keyRoom holds most keys, in bytes.
const keyRoom = 96

// maxTries is how many fills a request waits for before it asks the origin by itself.
const maxTries = 3

// ServeHTTP takes the request through its states.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o := h.c.options.Load()
	x := &exchange{handler: h, client: client{ResponseWriter: w}, r: r, options: o, preset: o.Preset, coder: h.c.coderFor(h.policy)}
	x.w = &x.client
	defer x.note()
	for next := receive; next != nil; {
		next = next(x)
	}
}

// receive sorts out what the cache has no part in.
func receive(x *exchange) step {
	switch {
	case x.policy.Off:
		x.status.Fwd = FwdBypass
		return pass
	case x.r.Method != http.MethodGet && x.r.Method != http.MethodHead:
		x.status.Fwd = FwdMethod
		return pass
	}
	x.query = parseRequest(x.options.honours(), header(x.r.Header))
	switch {
	case x.r.ContentLength != 0 || len(x.r.TransferEncoding) > 0:
		x.status.Fwd = FwdBypass // the content of a GET is no part of the key
	case forOrigin(x.query.fields):
		x.status.Fwd = FwdRequest
	default:
		x.key = x.policy.appendRequestKey(x.keyRoom[:0], x.r)
		x.canonicalise()
		x.hash = x.c.index.hash(x.key)
		return lookup
	}
	if x.query.control.Is(httpfield.OnlyIfCached) {
		return notCached
	}
	return pass
}

// lookup looks for a stored response, and decides what it is good for.
func lookup(x *exchange) step {
	x.status.Outcome = Outcome{}
	x.looked = time.Now()
	x.found = x.c.lookup(x.hash, x.key, x.preset, &x.query, x.looked)
	if x.found.State == Miss && x.c.tier != nil {
		x.recall()
	}
	if x.found.State == StaleWhileRevalidate {
		x.validateBehind()
	}
	if x.found.Hit() {
		return serve
	}
	return missed
}

// missed decides where to go when nothing that is stored may be used as it is.
func missed(x *exchange) step {
	x.status.Fwd = x.found.Fwd
	switch {
	case x.query.control.Is(httpfield.OnlyIfCached):
		return notCached
	case x.r.Method == http.MethodHead && x.join():
		return await
	case x.r.Method == http.MethodHead:
		return pass // it asks for no content, so none is fetched
	case x.found.State == Miss && (x.passesRange() || x.passesConditions()):
		return pass
	}
	return fetch
}

// notCached answers a client that wants nothing from the origin, RFC 9111 §5.2.1.7.
func notCached(x *exchange) step {
	x.status.addTo(x.w.Header(), x.c.name)
	x.w.WriteHeader(http.StatusGatewayTimeout)
	return nil
}
