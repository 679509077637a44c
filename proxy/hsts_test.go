package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy"
)

func TestHSTS(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=1")
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Cache-Control", "max-age=600")
		if r.URL.Path == "/refused" {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = io.WriteString(w, "page")
	})
	pools := map[string]proxy.Pool{"backend": newPool(t, server.URL), "dead": newPool(t, "http://127.0.0.1:1")}
	sites := func(o *proxy.HSTSOptions) map[string]*proxy.SiteOptions {
		return map[string]*proxy.SiteOptions{
			"own": {
				Hosts: []string{"own.example.com"}, Origin: "backend", HSTS: o,
				Paths: map[string]proxy.PathOptions{"/dead": {Origin: "dead"}},
			},
			"origins": {Hosts: []string{"origins.example.com"}, Origin: "backend"},
		}
	}
	o := proxy.ChainOptions{Node: "ams-1", Cache: newCache(t, "ams-1"), Pools: pools, Sites: sites(nil)}
	e := newEdge(t, o)
	before := e.client(t, "h2")
	do(t, before, e.request(t, http.MethodGet, "own.example.com", "/before", nil)) // is stored with the origin's
	o.Sites = sites(&proxy.HSTSOptions{MaxAge: 48 * time.Hour, IncludeSubdomains: true})
	chain, err := proxy.NewChain(o)
	must(t, err)
	e.Swap(chain)
	const own = "max-age=172800; includeSubDomains"
	eachProtocol(t, e, func(t *testing.T, protocol string, c *http.Client) {
		found := e.hits.found.Load()
		for _, tt := range []struct{ host, path, want string }{
			{"own.example.com", "/", own},
			{"own.example.com", "/", own},
			{"own.example.com", "/before", own},
			{"own.example.com", "/refused", own},
			{"own.example.com", "/dead", own},
			{"origins.example.com", "/", "max-age=1"},
			{"origins.example.com", "/", "max-age=1"},
			{"nobody.example.com", "/", ""},
		} {
			resp, _ := do(t, c, e.request(t, http.MethodGet, tt.host, tt.path, nil))
			if got := strings.Join(resp.Header.Values("Strict-Transport-Security"), " and "); got != tt.want {
				t.Errorf("%s%s: %d %q, want %q", tt.host, tt.path, resp.StatusCode, got, tt.want)
			}
		}
		if strings.HasSuffix(protocol, "-loop") && e.hits.found.Load() < found+2 {
			t.Errorf("the loop answered %d", e.hits.found.Load()-found)
		}
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.plain+"/", nil)
	must(t, err)
	r.Host = "own.example.com"
	if resp, _ := do(t, e.client(t, "h1"), r); resp.StatusCode != http.StatusPermanentRedirect || resp.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("without TLS: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestHSTSOptions(t *testing.T) {
	day := 24 * time.Hour
	for name, tt := range map[string]struct {
		o    proxy.HSTSOptions
		keys string
	}{
		"a year":            {proxy.HSTSOptions{MaxAge: 365 * day}, ""},
		"forgotten":         {proxy.HSTSOptions{}, ""},
		"parts of a second": {proxy.HSTSOptions{MaxAge: time.Second / 2}, "max_age"},
		"negative":          {proxy.HSTSOptions{MaxAge: -time.Second}, "max_age"},
		"preload":           {proxy.HSTSOptions{MaxAge: 365 * day, IncludeSubdomains: true, Preload: true}, ""},
		"preload, short":    {proxy.HSTSOptions{MaxAge: 300 * day, IncludeSubdomains: true, Preload: true}, "preload"},
		"preload of one":    {proxy.HSTSOptions{MaxAge: 365 * day, Preload: true}, "preload"},
	} {
		var keys []string
		tt.o.Check(func(key, _ string) { keys = append(keys, key) })
		if got := strings.Join(keys, " "); got != tt.keys {
			t.Errorf("%s: mistakes at %q, want %q", name, got, tt.keys)
		}
	}
}
