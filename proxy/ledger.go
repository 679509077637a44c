package proxy

import (
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/proxy/hitpath"
	"github.com/anyedge/anyedge/proxy/listener"
)

// ledger is where the hits of one kind are counted and logged, the way observe does it for what goes the long way.
type ledger struct {
	kind  kind
	chain *Chain
	rule  *rule
	tally tally
}

// tally are the metrics of requests of one kind, found once; the zero one has none.
type tally struct {
	requests prometheus.Counter
	duration prometheus.Observer
	received prometheus.Counter
	sent     prometheus.Counter
}

func (m *Metrics) tally(vip, site string, proto listener.Protocol, class string) tally {
	if m == nil {
		return tally{}
	}
	return tally{
		requests: m.requests.WithLabelValues(vip, site, string(proto), class),
		duration: m.duration.WithLabelValues(vip, site), received: m.received.WithLabelValues(vip, site),
		sent: m.sent.WithLabelValues(vip, site),
	}
}

// Served fulfils hitpath.Account.
func (l *ledger) Served(r *hitpath.Request, a *hitpath.Answer) {
	took := time.Since(r.At)
	l.rule.hits.Served(a.Sent)
	if limiter := l.chain.options.Admission; limiter != nil {
		limiter.Leave(a.Stalled)
	}
	if t := &l.tally; t.requests != nil {
		l.chain.options.Metrics.inFlight.Dec()
		t.requests.Inc()
		t.duration.Observe(took.Seconds())
		t.sent.Add(float64(a.Sent))
	}
	if l.chain.options.AccessLog != nil {
		l.log(r, a, took)
	}
}

func (l *ledger) log(r *hitpath.Request, a *hitpath.Answer, took time.Duration) {
	line := accessLine{
		client: r.Client.String(), host: r.Host, method: r.Method, target: r.Target, status: a.Found.Answer.Status(),
		out: a.Sent, took: took, ttfb: took, proto: r.Protocol, vip: r.VIP, site: l.rule.site, node: l.chain.options.Node,
		id: newRequestID(), tls: r.TLS, outcome: &cache.Outcome{Hit: true},
	}
	line.userAgent, _ = r.Line("User-Agent", 0)
	line.referer, _ = r.Line("Referer", 0)
	attrs := (&exchange{rule: l.rule}).appendOrigin(line.begin())
	line.write(l.chain.options.AccessLog, (&exchange{}).appendFailure(attrs, a.Whole))
}

// ledgers are a rule's, by kind. What goes the long way has their tallies alone.
type ledgers struct {
	usual [3]atomic.Pointer[ledger] // the first of each protocol's that says 2xx: found without a map
	chain *Chain
	rule  *rule
	known atomic.Pointer[map[kind]*ledger] // a map never changes, a new one replaces it
	mu    sync.Mutex                       // of who replaces it
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

// place is the protocol's in usual.
func (k kind) place() int {
	switch listener.Protocol(k.protocol) {
	case listener.H1:
		return 0
	case listener.H2:
		return 1
	}
	return 2
}

// of returns the ledger of r's kind.
func (l *ledgers) of(r *hitpath.Request, status int) *ledger {
	return l.ofKind(kind{r.VIP, r.Protocol, status / 100})
}

func (l *ledgers) ofKind(k kind) *ledger {
	if one := l.usual[k.place()].Load(); one != nil && one.kind == k {
		return one
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
	one := &ledger{kind: k, chain: l.chain, rule: l.rule}
	one.tally = l.chain.options.Metrics.tally(k.vip, l.rule.site, listener.Protocol(k.protocol), statusClass(100*k.class))
	more := make(map[kind]*ledger, len(known)+1)
	maps.Copy(more, known)
	more[k] = one
	l.known.Store(&more)
	if k.class == http.StatusOK/100 {
		l.usual[k.place()].CompareAndSwap(nil, one)
	}
	return one
}
