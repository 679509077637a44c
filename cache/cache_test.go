package cache_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/cache"
)

func fresh(r *http.Request) (*http.Response, error) {
	return respondText("hello", "Cache-Control: max-age=60", "Cache-Tag: a"), nil
}

func TestOutcome(t *testing.T) {
	h := handle(newCache(t), &originFunc{answer: fresh})
	for _, want := range []cache.Outcome{
		{Fwd: cache.FwdURIMiss, FwdStatus: 200, Stored: true},
		{Hit: true},
	} {
		var got cache.Outcome
		h.ServeHTTP(newClient(nil), request(cache.WithOutcome(t.Context(), &got), "http://example.com/"))
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestPurgeRequests(t *testing.T) {
	c := newCache(t)
	h := handle(c, &originFunc{answer: fresh})
	for _, tt := range []struct {
		purge cache.PurgeRequest
		count int
		bad   string
	}{
		{purge: cache.PurgeRequest{URLs: []string{"http://example.com/a"}}, count: 1},
		{purge: cache.PurgeRequest{URLs: []string{"http://example.com/nothing"}}},
		{purge: cache.PurgeRequest{URLs: []string{"http://example.com/a"}, Soft: true}, count: 1},
		{purge: cache.PurgeRequest{Tags: []string{"a"}}, count: 2},
		{purge: cache.PurgeRequest{Tags: []string{"b"}}},
		{purge: cache.PurgeRequest{Prefixes: []string{"example.com/a"}}, count: 1},
		{purge: cache.PurgeRequest{Prefixes: []string{"http://EXAMPLE.com/"}}, count: 2},
		{purge: cache.PurgeRequest{Prefixes: []string{"https://example.com/"}}},
		{purge: cache.PurgeRequest{Sites: []string{"site"}}, count: 2},
		{purge: cache.PurgeRequest{Sites: []string{"other"}}},
		{purge: cache.PurgeRequest{URLs: []string{"http://example.com/a"}, Tags: []string{"b"}, Sites: []string{"other"}}, count: 1},
		{purge: cache.PurgeRequest{Tags: []string{"a", ""}}, bad: "empty"},
		{purge: cache.PurgeRequest{All: true}, count: 2},
		{purge: cache.PurgeRequest{}, bad: "or else all"},
		{purge: cache.PurgeRequest{URLs: []string{"http://example.com/"}, All: true}, bad: "or else all"},
		{purge: cache.PurgeRequest{URLs: []string{"/path"}}, bad: "not a whole"},
		{purge: cache.PurgeRequest{URLs: []string{"http://exa mple/"}}, bad: "purge"},
	} {
		get(h, "http://example.com/a")
		get(h, "http://example.com/b")
		result, err := c.Purge(tt.purge)
		if tt.bad != "" {
			if err == nil || !strings.Contains(err.Error(), tt.bad) {
				t.Errorf("%+v: %v", tt.purge, err)
			}
			continue
		}
		if err != nil || result.Count != tt.count || result.Took <= 0 {
			t.Errorf("%+v: %+v, %v; want %d", tt.purge, result, err, tt.count)
		}
		if _, err := c.Purge(cache.PurgeRequest{All: true}); err != nil {
			t.Error(err)
		}
		waitFor(t, func() bool { return c.Stats().Responses == 0 })
	}
}

// waitFor polls what no event tells of.
func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for !done() {
		select {
		case <-t.Context().Done():
			t.Fatal("it never happened")
		default:
		}
	}
}

// TestEvictedLeavesTheIndex: memory stays within its budget, whatever is asked for.
func TestEvictedLeavesTheIndex(t *testing.T) {
	const budget = 4 << 20
	c := newCache(t, func(o *cache.Options) { o.Memory = budget })
	o := &originFunc{answer: func(*http.Request) (*http.Response, error) {
		return respond(zeros(10_000), 10_000, "Cache-Control: max-age=60"), nil
	}}
	h := handle(c, o)
	for i := range 2000 {
		get(h, "http://example.com/"+strings.Repeat("x", i%100)+string(rune('a'+i%26))+strings.Repeat("y", i/100))
	}
	waitFor(t, func() bool { return c.Stats().Bytes <= budget })
	if s := c.Stats(); s.Responses == 0 || s.Evicted == 0 || s.Slots != s.Responses {
		t.Errorf("got %+v", s)
	}
}

func TestMetrics(t *testing.T) {
	c := newCache(t)
	h := handle(c, &originFunc{answer: fresh})
	get(h, "http://example.com/")
	get(h, "http://example.com/")
	private := c.Handler("other", cache.Policy{}, &originFunc{answer: func(*http.Request) (*http.Response, error) {
		return respondText("mine", "Cache-Control: private"), nil
	}}, badGateway)
	get(private, "http://other.example.com/")
	get(private, "http://other.example.com/")
	purge(t, c, cache.PurgeRequest{Tags: []string{"none"}})
	reg := prometheus.NewPedanticRegistry()
	c.RegisterMetrics(reg)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += "/" + label.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{
		"anyedge_cache_requests_total/site": 2, "anyedge_cache_hits_total/site": 1, "anyedge_cache_sent_bytes_total/site": 10,
		"anyedge_cache_hit_bytes_total/site": 5, "anyedge_cache_requests_total/other": 2, "anyedge_cache_hits_total/other": 0,
		"anyedge_cache_sent_bytes_total/other": 8, "anyedge_cache_hit_bytes_total/other": 0,
		"anyedge_cache_unstored_total/private": 2, "anyedge_cache_unstored_total/vary": 0, "anyedge_cache_hit_for_miss_total": 1,
		"anyedge_cache_forwarded_total/uri-miss": 3, "anyedge_cache_stores_total": 1, "anyedge_cache_stored_responses": 1,
		"anyedge_cache_fills": 0, "anyedge_cache_fill_seconds": 1, "anyedge_cache_fill_size_bytes": 1, "anyedge_cache_purge_seconds": 1,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s: %v, want %v", name, v, want)
		}
	}
}

func TestConfigure(t *testing.T) {
	c := newCache(t)
	h := handle(c, &originFunc{answer: func(*http.Request) (*http.Response, error) {
		return respondText("hello", "Cache-Control: max-age=60", "Set-Cookie: a=b"), nil
	}})
	for _, tt := range []struct {
		preset cache.Preset
		stored int64
	}{{cache.Safe, 0}, {cache.Standard, 1}} {
		var o cache.Options
		o.SetDefaults()
		o.Preset = tt.preset
		c.Configure(o)
		get(h, "http://example.com/"+string(tt.preset))
		if got := c.Stats().Responses; got != tt.stored {
			t.Errorf("%s: %d responses are stored", tt.preset, got)
		}
	}
}

func TestOptionsCheck(t *testing.T) {
	var o cache.Options
	o.SetDefaults()
	var keys []string
	report := func(key, _ string) { keys = append(keys, key) }
	o.Check(report)
	if len(keys) > 0 {
		t.Errorf("the defaults are mistaken: %v", keys)
	}
	o = cache.Options{Preset: "x", CollapseWait: -1}
	o.Check(report)
	(&cache.Policy{StaleWhileRevalidate: -1, StaleIfError: -1}).Check(report)
	want := []string{"preset", "eviction", "memory", "max_object", "collapse_wait", "stale_while_revalidate", "stale_if_error"}
	if !reflect.DeepEqual(keys, want) {
		t.Errorf("got %v, want %v", keys, want)
	}
}
