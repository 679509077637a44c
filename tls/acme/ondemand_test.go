package acme_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyedge/anyedge/tls/acme"
	"github.com/anyedge/anyedge/tls/acme/acmetest"
)

// endpoint knows which names may be obtained.
type endpoint struct {
	*httptest.Server

	mu    sync.Mutex // guards the following fields
	known map[string]int
	asked map[string]int
}

func startEndpoint(t *testing.T, known ...string) *endpoint {
	t.Helper()
	e := &endpoint{known: map[string]int{}, asked: map[string]int{}}
	for _, name := range known {
		e.known[name] = http.StatusOK
	}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

// ServeHTTP answers one question.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	name := r.URL.Query().Get("domain")
	e.asked[name]++
	status := e.known[name]
	if status == 0 {
		status = http.StatusNotFound
	}
	w.WriteHeader(status)
}

// set has a name answered otherwise from now on.
func (e *endpoint) set(name string, status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known[name] = status
}

// count is how many questions there were, for a name or, without one, for all.
func (e *endpoint) count(name string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for other, times := range e.asked {
		if name == "" || name == other {
			n += times
		}
	}
	return n
}

// demanding runs a manager that obtains names below shop.example.com on demand.
func demanding(t *testing.T, f *front, o acme.Options) *manager {
	t.Helper()
	m := startWith(t, f, o, func(c *acme.Config) {
		c.Serves = func(name string) bool { return strings.HasSuffix(name, ".shop.example.com") }
	})
	f.store.OnUncovered(m.Demand)
	return m
}

func onDemand(t *testing.T, ca *authority, e *endpoint) acme.Options {
	t.Helper()
	o := options(t, ca)
	o.OnDemand = &acme.OnDemandOptions{}
	o.OnDemand.SetDefaults()
	o.OnDemand.Ask, o.OnDemand.AskRate = e.URL+"/?from=edge", 1000
	return o
}

// TestOnDemand: a name that a client asks for is obtained where it is allowed and a site serves it; it is kept over a restart,
// and asked about again before it is renewed.
func TestOnDemand(t *testing.T) {
	t.Parallel()
	const host = "one.shop.example.com"
	f, e := startFront(t), startEndpoint(t, host, "elsewhere.example.net")
	ca := startCA(t, f, acmetest.Options{Validity: 9 * time.Second})
	o := onDemand(t, ca, e)
	m := demanding(t, f, o)
	await(t, "it is served", func() bool { return f.served(host) != nil })
	first := f.served(host)
	f.served("elsewhere.example.net")
	await(t, "another one is refused", func() bool { f.served("two.shop.example.com"); return e.count("two.shop.example.com") > 0 })
	for range 5 {
		f.served("two.shop.example.com")
	}
	for name, want := range map[string]int{"two.shop.example.com": 1, "elsewhere.example.net": 0} {
		if n := e.count(name); n != want {
			t.Errorf("%d questions about %s", n, name)
		}
	}
	if list := m.Demanded(); len(list) != 1 || list[0] != host {
		t.Errorf("%q", list)
	}
	m.end()

	e.set(host, http.StatusInternalServerError) // it was allowed
	m = demanding(t, f, o)
	if list := m.Demanded(); len(list) != 1 || list[0] != host {
		t.Errorf("after a restart: %q", list)
	}
	await(t, "it is renewed", func() bool {
		c := f.served(host)
		return c != nil && c.SerialNumber.Cmp(first.SerialNumber) != 0 && e.count(host) > 1
	})
	e.set(host, http.StatusForbidden)
	await(t, "it is forgotten", func() bool { return len(m.Demanded()) == 0 && f.served(host) == nil })
	if !strings.Contains(m.events(), "is not renewed: "+e.URL) {
		t.Error(m.events())
	}
}

// TestFloodOfNames: however many names clients come with, no more are asked about than is room for, and no more taken than an
// hour and the whole may have.
func TestFloodOfNames(t *testing.T) {
	t.Parallel()
	f, e := startFront(t), startEndpoint(t)
	ca := startCA(t, f, acmetest.Options{})
	for i := range 10 {
		e.set(fmt.Sprintf("good-%d.shop.example.com", i), http.StatusOK)
	}
	o := onDemand(t, ca, e)
	o.OnDemand.Rate = 3
	m := demanding(t, f, o)
	for i := range 20_000 {
		m.Demand(fmt.Sprintf("bad-%d.shop.example.com", i))
		m.Demand(fmt.Sprintf("bad-%d.example.net", i))
		m.Demand(fmt.Sprintf("bad_%d.shop.example.com", i))
		m.Demand(fmt.Sprintf("*.bad-%d.shop.example.com", i))
	}
	if n := m.counter(t, "anyedge_acme_demands_total", "limited"); n < 1000 {
		t.Errorf("%v limited", n)
	}
	if n := e.count(""); n > 10_000 {
		t.Errorf("%d questions", n)
	}
	await(t, "names are taken again", func() bool {
		for i := range 10 {
			m.Demand(fmt.Sprintf("good-%d.shop.example.com", i))
		}
		return len(m.Demanded()) == 3
	})
	await(t, "all good names were asked about", func() bool {
		for i := range 10 {
			name := fmt.Sprintf("good-%d.shop.example.com", i)
			if m.Demand(name); e.count(name) == 0 {
				return false
			}
		}
		return true
	})
	await(t, "what was taken is obtained", func() bool { return ca.Orders() == 3 })
	roomy := *o.OnDemand // the manager reads the other
	roomy.Rate, roomy.Names = 100, 4
	o.OnDemand = &roomy
	must(t, m.Configure(&o, nil))
	demandAll := func() {
		for i := range 10 {
			m.Demand(fmt.Sprintf("good-%d.shop.example.com", i))
		}
	}
	await(t, "one more is taken", func() bool { demandAll(); return len(m.Demanded()) == 4 })
	before := m.counter(t, "anyedge_acme_demands_total", "limited")
	await(t, "another one has no room", func() bool {
		demandAll()
		return m.counter(t, "anyedge_acme_demands_total", "limited") > before
	})
	if n := len(m.Demanded()); n != 4 {
		t.Errorf("%d names", n)
	}
}
