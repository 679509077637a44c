package proxy

import (
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/proxy/hitpath"
	"github.com/anyedge/anyedge/proxy/listener"
)

// ledger is where the hits of one kind are counted and logged, the way observe does it for what goes the long way.
type ledger struct {
	tally *tally // nil: nothing is counted
	kind  kind
	rule  *rule
}

// Served fulfils hitpath.Account.
func (l *ledger) Served(r *hitpath.Request, a *hitpath.Answer) {
	took := time.Since(r.At)
	l.rule.hits.Served(a.Sent)
	o := &l.rule.ledgers.chain.options
	if limiter := o.Admission; limiter != nil {
		limiter.Leave(a.Stalled)
	}
	if l.tally != nil {
		o.Metrics.inFlight.Dec()
		l.tally.note(took, a.Sent)
	}
	if o.AccessLog != nil {
		l.log(o, r, a, took)
	}
}

func (l *ledger) log(o *ChainOptions, r *hitpath.Request, a *hitpath.Answer, took time.Duration) {
	line := accessLine{
		client: r.Client.String(), host: r.Host, method: r.Method, target: r.Target, status: a.Found.Answer.Status(),
		out: a.Sent, took: took, ttfb: took, proto: r.Protocol, vip: r.VIP, site: l.rule.site, node: o.Node,
		id: newRequestID(), tls: r.TLS, outcome: &cache.Outcome{Hit: true},
	}
	line.userAgent, _ = r.Line("User-Agent", 0)
	line.referer, _ = r.Line("Referer", 0)
	attrs := (&exchange{rule: l.rule}).appendOrigin(line.begin())
	line.write(o.AccessLog, (&exchange{}).appendFailure(attrs, a.Whole))
}

// ledgers are a rule's, by kind. What goes the long way has their tallies alone.
type ledgers struct {
	chain *Chain
	usual [3]usualLedger // the first of each protocol's that says 2xx: found without a map, nor a read of other memory
	rule  *rule
	known atomic.Pointer[map[kind]*ledger] // a map never changes, a new one replaces it
	mu    sync.Mutex                       // of who replaces it, and of who makes a usual one
}

// usualLedger is a ledger that is there once it is made, and doesn't change from then on.
type usualLedger struct {
	made atomic.Bool
	ledger
}

// kind is what requests are told apart by.
type kind struct {
	vip      string
	protocol string
	class    int // of the status: its first digit
}

func (l *ledgers) init(c *Chain, r *rule) {
	l.chain, l.rule = c, r
	l.known.Store(new(map[kind]*ledger))
}

// usualOf is the place of a protocol's usual ledger.
func (l *ledgers) usualOf(protocol string) *usualLedger {
	switch listener.Protocol(protocol) {
	case listener.H1:
		return &l.usual[0]
	case listener.H2:
		return &l.usual[1]
	}
	return &l.usual[2]
}

// fetch has the processor read what a hit will probably be counted in, where nothing waits for it yet. Additions, which are
// atomic, let it do nothing else while they wait for memory.
func (l *ledgers) fetch(protocol string) {
	if u := l.usualOf(protocol); u.made.Load() && u.tally != nil {
		u.tally.micros.Load()
	}
}

// of returns the ledger of r's kind.
func (l *ledgers) of(r *hitpath.Request, status int) *ledger {
	return l.ofKind(kind{r.VIP, r.Protocol, status / 100})
}

func (l *ledgers) ofKind(k kind) *ledger {
	if u := l.usualOf(k.protocol); u.made.Load() && u.kind == k {
		return &u.ledger
	}
	if one := (*l.known.Load())[k]; one != nil {
		return one
	}
	return l.open(k)
}

func (l *ledgers) open(k kind) *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := *l.known.Load()
	if one := known[k]; one != nil {
		return one
	}
	one := ledger{kind: k, rule: l.rule}
	if m := l.chain.options.Metrics; m != nil {
		one.tally = m.tallies.of(k, l.rule.site)
	}
	place := &one
	if u := l.usualOf(k.protocol); k.class == http.StatusOK/100 && !u.made.Load() {
		u.ledger = one
		u.made.Store(true)
		place = &u.ledger
	}
	more := make(map[kind]*ledger, len(known)+1)
	maps.Copy(more, known)
	more[k] = place
	l.known.Store(&more)
	return place
}
