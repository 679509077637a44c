package governor

import (
	"context"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
)

var _ Cache = (*cache.Cache)(nil)

type originFunc func(*http.Request) (*http.Response, error)

func (f originFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// governed is a governor over a real cache, with a limit of 10 MiB of which the cache may take 5, and what it reads.
func governed(t *testing.T, reading *atomic.Pointer[Reading]) (*Governor, *cache.Cache, func(n int)) {
	var o cache.Options
	o.SetDefaults()
	c := cache.New(o, "edge", memory.New(o.Memory), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	g := &Governor{limit: 10 << 20, log: slog.New(slog.DiscardHandler), read: func() Reading { return *reading.Load() }}
	g.Govern(c, Options{Memory: Amount{Share: 0.5}})
	h := c.Handler("site", cache.Policy{}, originFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Cache-Control": {"max-age=9999"}}, ContentLength: 10_000,
			Body: io.NopCloser(strings.NewReader(strings.Repeat("x", 10_000))),
		}, nil
	}), nil)
	fill := func(n int) {
		for i := range n {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://example.com/"+strconv.Itoa(i), nil))
		}
	}
	return g, c, fill
}

// TestGoverned: under pressure the cache gives its memory back at once, stores nothing while it is tight, and gets its
// memory back over time.
func TestGoverned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reading atomic.Pointer[Reading]
		reading.Store(&Reading{Live: 5 << 20, Cycle: 1})
		g, c, fill := governed(t, &reading)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- g.Run(ctx) }()

		fill(1000)
		if s := c.Stats(); s.Memory != 5<<20 || s.Bytes < 3<<20 || s.Bytes > 5<<20 {
			t.Errorf("%d bytes are stored of %d", s.Bytes, s.Memory)
		}
		reading.Store(&Reading{Live: 9.5 * (1 << 20), Cycle: 2})
		time.Sleep(2 * interval)
		s := c.Stats()
		if s.Memory > 1.5*(1<<20) || s.Bytes > s.Memory {
			t.Errorf("under pressure %d bytes are stored of %d", s.Bytes, s.Memory)
		}
		if fill(1000); c.Stats().Stored != s.Stored {
			t.Error("under pressure contents are stored")
		}
		reading.Store(&Reading{Live: 5 << 20, Cycle: 3})
		time.Sleep(10 * interval)
		if s := c.Stats(); s.Memory > 3<<20 {
			t.Errorf("after ten seconds it has %d already", s.Memory)
		}
		time.Sleep(2 * time.Minute)
		if fill(1000); c.Stats().Memory != 5<<20 || c.Stats().Bytes < 3<<20 {
			t.Errorf("after two minutes %d bytes are stored of %d", c.Stats().Bytes, c.Stats().Memory)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestConfigure: a reload changes the whole budget.
func TestConfigure(t *testing.T) {
	var reading atomic.Pointer[Reading]
	g, c, fill := governed(t, &reading)
	fill(1000)
	g.Configure(Options{Memory: Amount{Bytes: 1 << 20}})
	if s := c.Stats(); s.Memory != 1<<20 || s.Bytes > 1<<20 {
		t.Errorf("%d bytes are stored of %d", s.Bytes, s.Memory)
	}
	g.Configure(Options{Memory: Amount{Share: 0.2}})
	if got := c.Stats().Memory; got != 2<<20 {
		t.Errorf("the budget is %d", got)
	}
}

func TestMemoryLimit(t *testing.T) {
	old := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(old)
	t.Setenv("GOMEMLIMIT", "")
	if got := setMemoryLimit(1 << 40); got != 1<<40 || debug.SetMemoryLimit(-1) >= 1<<40 {
		t.Errorf("got %d, and GOMEMLIMIT %d", got, debug.SetMemoryLimit(-1))
	}
	t.Setenv("GOMEMLIMIT", "1TiB")
	debug.SetMemoryLimit(1 << 39)
	if got := setMemoryLimit(1 << 40); got != 1<<39 || debug.SetMemoryLimit(-1) != 1<<39 {
		t.Errorf("the operator's limit became %d", debug.SetMemoryLimit(-1))
	}
	t.Setenv("GOMEMLIMIT", "off")
	debug.SetMemoryLimit(math.MaxInt64)
	if got := setMemoryLimit(1 << 40); got != 1<<40 {
		t.Errorf("got %d", got)
	}
}

func TestMetrics(t *testing.T) {
	var reading atomic.Pointer[Reading]
	reading.Store(&Reading{Live: 7, Cycle: 1})
	g, _, _ := governed(t, &reading)
	g.step()
	reg := prometheus.NewPedanticRegistry()
	g.RegisterMetrics(reg)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		m := f.GetMetric()[0]
		got[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	for name, want := range map[string]float64{
		"limit_bytes": 10 << 20, "live_bytes": 7, "budget_bytes": 5 << 20, "budget_full_bytes": 5 << 20, "shrinks_total": 0,
	} {
		if v := got["anyedge_governor_"+name]; v != want {
			t.Errorf("%s: %v, want %v", name, v, want)
		}
	}
}
