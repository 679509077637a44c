package admission_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/proxy/admission"
)

// limiter is one with its metrics and the last refusal.
type limiter struct {
	*admission.Limiter
	registry *prometheus.Registry
	last     *admission.Error
}

func newLimiter(set func(*admission.Options)) *limiter {
	l := &limiter{registry: prometheus.NewRegistry()}
	l.Limiter = admission.New(options(set), l.registry)
	return l
}

func options(set func(*admission.Options)) admission.Options {
	var o admission.Options
	o.SetDefaults()
	set(&o)
	return o
}

func (l *limiter) refuse(w http.ResponseWriter, _ *http.Request, err error) {
	errors.As(err, &l.last)
	w.WriteHeader(l.last.Status)
}

// ask sends a request from an address and returns the status.
func (l *limiter) ask(client string) int {
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	r.RemoteAddr = client
	w := httptest.NewRecorder()
	l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), l.refuse).ServeHTTP(w, r)
	return w.Code
}

// refused is what the counter of a reason says.
func (l *limiter) refused(t *testing.T, reason admission.Reason) float64 {
	t.Helper()
	families, err := l.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if len(m.GetLabel()) == 1 && m.GetLabel()[0].GetValue() == string(reason) {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no counter for %s", reason)
	return 0
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(func(o *admission.Options) { o.Rate, o.Burst = 2, 3 })
		f := func(client string, want int) {
			t.Helper()
			if got := l.ask(client); got != want {
				t.Errorf("%s at %v: %d, want %d", client, time.Now(), got, want)
			}
		}
		for range 3 { // the burst
			f("192.0.2.1:1", 200)
		}
		f("192.0.2.1:2", 429)
		if l.last.RetryAfter != 500*time.Millisecond || l.last.Reason != admission.ReasonRate {
			t.Errorf("%+v", l.last)
		}
		f("192.0.2.2:1", 200) // somebody else
		time.Sleep(499 * time.Millisecond)
		f("192.0.2.1:3", 429)
		time.Sleep(time.Millisecond)
		f("192.0.2.1:4", 200) // refusals cost nothing
		f("192.0.2.1:5", 429)
		time.Sleep(time.Hour)
		for range 3 { // no more than the burst is saved
			f("192.0.2.1:6", 200)
		}
		f("192.0.2.1:7", 429)
		if n := l.refused(t, admission.ReasonRate); n != 4 {
			t.Errorf("%v refusals counted", n)
		}
	})
}

func TestRateCountsSubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := func(one, other string, same bool) {
			t.Helper()
			l := newLimiter(func(o *admission.Options) { o.Rate, o.Burst = 1, 1 })
			l.ask(one)
			if got := l.ask(other); (got == 429) != same {
				t.Errorf("%s and %s: %d", one, other, got)
			}
		}
		f("192.0.2.1:1", "192.0.2.1:2", true)
		f("192.0.2.1:1", "[::ffff:192.0.2.1]:2", true)
		f("192.0.2.1:1", "192.0.2.2:1", false)
		f("[2001:db8:0:1::1]:1", "[2001:db8:0:1:ffff::9]:1", true) // one /64
		f("[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1", false)
		f("[fe80::1%eth0]:1", "[fe80::1%eth1]:1", true)
		f("@", "", true) // a unix socket
	})
}

func TestConfigureKeepsWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(o *admission.Options) { o.Rate, o.Burst = 1, 1 }
		l := newLimiter(slow)
		if got := l.ask("192.0.2.1:1"); got != 200 {
			t.Fatal(got)
		}
		l.Configure(options(slow))
		if got := l.ask("192.0.2.1:1"); got != 429 {
			t.Errorf("a reload forgives: %d", got)
		}
		l.Configure(options(func(o *admission.Options) {}))
		if got := l.ask("192.0.2.1:1"); got != 200 {
			t.Errorf("off: %d", got)
		}
	})
}

func TestRequestsInFlight(t *testing.T) {
	l := newLimiter(func(o *admission.Options) { o.Requests = 2 })
	inside, release := make(chan struct{}), make(chan struct{})
	h := l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		inside <- struct{}{}
		<-release
	}), l.refuse)
	done := make(chan struct{})
	for range 2 {
		go func() {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			done <- struct{}{}
		}()
		<-inside
	}
	if got := l.ask("192.0.2.1:1"); got != 503 || l.last.RetryAfter <= 0 || l.InFlight() != 2 {
		t.Errorf("%d, %+v, %d in flight", got, l.last, l.InFlight())
	}
	close(release)
	<-done
	<-done
	if got := l.ask("192.0.2.1:1"); got != 200 || l.InFlight() != 0 {
		t.Errorf("afterwards: %d, %d in flight", got, l.InFlight())
	}
	if n := l.refused(t, admission.ReasonRequests); n != 1 {
		t.Errorf("%v refusals counted", n)
	}
}

func TestInFlightAfterAPanic(t *testing.T) {
	l := newLimiter(func(*admission.Options) {})
	h := l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), l.refuse)
	func() {
		defer func() { _ = recover() }()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}()
	if n := l.InFlight(); n != 0 {
		t.Errorf("%d in flight", n)
	}
}

func TestCheck(t *testing.T) {
	var o admission.Options
	o.SetDefaults()
	o.Check(func(key, problem string) { t.Errorf("default: %s %s", key, problem) })
	bad := admission.Options{Content: -1, Rate: -1}
	seen := map[string]bool{}
	bad.Check(func(key, _ string) { seen[key] = true })
	for _, key := range []string{
		"header", "content", "header_timeout", "content_idle", "send_idle", "idle_timeout", "requests", "connections",
		"streams", "rate",
	} {
		if !seen[key] {
			t.Errorf("%s passes", key)
		}
	}
}
