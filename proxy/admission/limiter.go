package admission

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// overloadRetry is what a client is told when the node is full: long enough for some requests to end, short enough
// that a browser's user waits for it.
const overloadRetry = time.Second

// Limiter holds requests to the limits. Its methods may be called concurrently.
type Limiter struct {
	options  atomic.Pointer[Options]
	inFlight atomic.Int64
	clients  *clients
	refused  map[Reason]prometheus.Counter // complete after New, then only read
}

// New returns a limiter that registers its metrics on reg.
func New(o Options, reg prometheus.Registerer) *Limiter {
	l := &Limiter{clients: newClients(), refused: map[Reason]prometheus.Counter{}}
	l.Configure(o)
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "anyedge_admission_refused_total",
		Help: "Requests refused or cut off, by the limit that they reached.",
	}, []string{"reason"})
	for _, r := range reasons {
		l.refused[r] = refused.WithLabelValues(string(r))
	}
	reg.MustRegister(refused, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "anyedge_admission_requests",
		Help: "Requests in flight.",
	}, func() float64 { return float64(l.InFlight()) }))
	return l
}

// Configure changes the limits for requests to come; what is known of clients and of requests in flight stays.
func (l *Limiter) Configure(o Options) { l.options.Store(&o) }

// InFlight is the number of requests being answered.
func (l *Limiter) InFlight() int64 { return l.inFlight.Load() }

// Enter counts a request without content as in flight, if the limits allow it; Leave must follow. What it turns away is
// Handler's to refuse, which counts it.
func (l *Limiter) Enter(client netip.Addr) bool {
	o := l.options.Load()
	return l.take(client, o) == 0 && l.begin(o)
}

// Leave ends what Enter began. stalled tells that the client was cut off because it took nothing for SendIdle.
func (l *Limiter) Leave(stalled bool) {
	l.inFlight.Add(-1)
	if stalled {
		l.refused[ReasonSendIdle].Inc()
	}
}

// take takes one of the client's turns, or returns how long until there is one.
func (l *Limiter) take(addr netip.Addr, o *Options) time.Duration {
	if o.Rate <= 0 {
		return 0
	}
	return l.clients.take(subscriber(addr), o.Rate, o.Burst, time.Now())
}

// begin counts a request, unless there are too many.
func (l *Limiter) begin(o *Options) bool {
	if l.inFlight.Add(1) > int64(o.Requests) {
		l.inFlight.Add(-1)
		return false
	}
	return true
}

// Handler passes on to next what the limits allow. refuse answers the rest; its error is an [*Error].
func (l *Limiter) Handler(next http.Handler, refuse func(http.ResponseWriter, *http.Request, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := l.options.Load()
		if err := l.admit(r, o); err != nil {
			l.refused[err.Reason].Inc()
			refuse(w, r, err)
			return
		}
		defer l.inFlight.Add(-1)
		s, r := l.guard(w, r, o)
		if s.content != nil && r.ProtoMajor == 1 {
			defer s.content.leave()
		}
		next.ServeHTTP(s, r)
	})
}

// admit returns nil after counting r as in flight, or says why not. The cheapest refusal comes first.
func (l *Limiter) admit(r *http.Request, o *Options) *Error {
	if o.Rate > 0 {
		if wait := l.take(addressOf(r.RemoteAddr), o); wait > 0 {
			return &Error{Reason: ReasonRate, Status: http.StatusTooManyRequests, RetryAfter: wait}
		}
	}
	if o.Content > 0 && r.ContentLength > o.Content {
		return contentTooLarge()
	}
	if !l.begin(o) {
		return &Error{Reason: ReasonRequests, Status: http.StatusServiceUnavailable, RetryAfter: overloadRetry}
	}
	return nil
}

// guard wraps both directions. The content of a CONNECT is a tunnel, which has limits of its own.
func (l *Limiter) guard(w http.ResponseWriter, r *http.Request, o *Options) (*sender, *http.Request) {
	s := &sender{ResponseWriter: w, control: *http.NewResponseController(w), idle: o.SendIdle, refused: l.refused[ReasonSendIdle]}
	s.own = pacerOf(w, o.SendIdle)
	if r.ProtoMajor == 1 {
		s.arm() // the deadline is the connection's: the last request's may have passed
	}
	if r.Body == nil || r.Body == http.NoBody || r.Method == http.MethodConnect {
		return s, r
	}
	s.content = &content{body: r.Body, control: &s.control, idle: o.ContentIdle, limit: o.Content, refused: l.refused}
	guarded := new(http.Request)
	*guarded = *r // the server looks at its own request's Body after the handler
	guarded.Body = s.content
	return s, guarded
}
