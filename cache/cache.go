package cache

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"sync/atomic"
)

// fillShare is the part of the memory budget that fills in flight may hold.
const fillShare = 0.25

// Cache is a shared HTTP cache. All its methods may be called concurrently.
type Cache struct {
	name      string
	log       *slog.Logger
	options   atomic.Pointer[Options]
	index     *index
	residency Residency
	toucher   Toucher // the residency, if it wants to hear of uses
	purges    *purges
	flights   *flights
	marks     marks
	memory    atomic.Int64 // what may be held, in bytes
	fills     budget
	sweeper   sweeper
	searches  *searches
	coder     atomic.Pointer[coder] // nil when nothing is encoded
	shedding  atomic.Bool           // see Shed
	refusing  atomic.Bool           // see Refuse
	keyParts  atomic.Bool           // some keys have parts behind their target URI
	figures   counters
	sites     sites
	unstored  unstored
	work      *work
	tier      *tier // nil when there is nothing behind memory
	storeless error // why there isn't, although there should be
}

// New returns an empty cache. name is the node's, as Cache-Status tells it to clients; r decides what stays in memory
// and belongs to the cache from now on. Close ends it.
func New(o Options, name string, r Residency, log *slog.Logger, more ...Option) *Cache {
	tags := newTagIndex()
	c := &Cache{
		name: name, log: log, residency: r, work: newWork(), searches: newSearches(),
		index: newIndex(tags), purges: &purges{tags: tags}, flights: newFlights(),
	}
	c.index.orphaned = c.dropSlices
	context.AfterFunc(c.work.ctx, c.flights.cancel)
	c.figures.init()
	c.toucher, _ = r.(Toucher)
	c.Configure(o)
	for _, option := range more {
		option(c)
	}
	r.Start(c.evict, c.index.spend)
	c.SetMemory(o.Memory, true)
	return c
}

// SetMemory changes how many bytes may be held: by what is stored, of which the rest is evicted before it returns, and
// by fills in flight. With store false no fill begins that would hold any; what comes passes without being stored.
func (c *Cache) SetMemory(bytes int64, store bool) {
	fills := int64(fillShare * float64(bytes))
	c.memory.Store(bytes)
	c.residency.Resize(bytes - fills)
	if !store {
		fills = 0
	}
	c.fills.limit.Store(fills)
}

// Stored is how many bytes are held by what is stored.
func (c *Cache) Stored() int64 { return c.index.bytes.Load() }

// Shed says whether the node has too much to do. Meanwhile contents that are encoded for one client pass as they are;
// forms that are made once for all go on being made, since they save more than they cost.
func (c *Cache) Shed(on bool) { c.shedding.Store(on) }

// Refuse says whether requests that would begin a fill are refused with [ErrOverloaded], or answered with what is stored
// and may be used on an error (RFC 5861 §4). Fills under way are joined as ever, and what the cache has no part in passes.
func (c *Cache) Refuse(on bool) { c.refusing.Store(on) }

// Configure swaps the options in. The memory budget stays: SetMemory changes that.
func (c *Cache) Configure(o Options) {
	o.Targeted = canonical(o.Targeted)
	if old := c.options.Load(); old == nil || !reflect.DeepEqual(old.Encoding, o.Encoding) {
		c.coder.Store(newCoder(&o.Encoding))
	}
	c.options.Store(&o)
}

// Handler answers requests from the cache, and fills it from next. site names the configuration that p comes from; fail
// answers when next could not and nothing stored may be used. The answer's Cache-Status field is set before fail is
// called.
//
// The handler panics with http.ErrAbortHandler when a content ends early, so that the client's connection or stream is
// aborted and the content isn't taken for complete.
func (c *Cache) Handler(site string, p Policy, next Origin, fail ErrorWriter) http.Handler {
	if len(p.Headers)+len(p.Cookies) > 0 {
		c.keyParts.Store(true)
	}
	return &handler{c: c, site: c.sites.get(site), usual: p.isUsual(), policy: &p, next: next, fail: fail}
}

// Close waits for the fills in flight; when ctx ends first, it aborts them, waits for that and returns ctx's error. Then
// it closes the store, which writes what it has taken as long as ctx allows.
// No request may be served any more when it is called, except those that wait for such a fill.
func (c *Cache) Close(ctx context.Context) error {
	err := c.work.close(ctx)
	c.residency.Close()
	if c.tier != nil {
		err = errors.Join(err, c.tier.close(ctx))
	}
	return err
}

// admit has the residency decide over a slot that changed.
func (c *Cache) admit(hash uint64, cost int64) {
	if !c.residency.Admit(hash, cost) {
		c.evict(hash)
	}
}

// evict takes a slot out of the index. The residency calls it.
func (c *Cache) evict(hash uint64) {
	c.figures.evicted.Add(uint64(c.index.evict(hash)))
}
