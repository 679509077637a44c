package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/proxy"
)

func TestSelfCheck(t *testing.T) {
	o := onlyOrigin(t, mirror(t).URL)
	o.SelfToken = "secret"
	o.Sites = nil // it needs no site
	e := newEdge(t, o)
	eachProtocol(t, e, func(t *testing.T, _ string, c *http.Client) {
		f := func(token string, status int, name string) {
			t.Helper()
			r := e.request(t, "GET", "www.example", "/", nil)
			r.Header.Set("Anyedge-Self", token)
			resp, _ := do(t, c, r)
			if resp.StatusCode != status || resp.Header.Get("Anyedge-Self") != name {
				t.Errorf("token %q: %d %v", token, resp.StatusCode, resp.Header)
			}
		}
		f("secret", http.StatusNoContent, "ams-1")
		f("guess", http.StatusMisdirectedRequest, "")
		f("", http.StatusMisdirectedRequest, "")
	})
	o.SelfToken = ""
	e = newEdge(t, o)
	r := e.request(t, "GET", "www.example", "/", nil)
	r.Header.Set("Anyedge-Self", "")
	if resp, _ := do(t, e.client(t, "h1"), r); resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("no token answers to no token: %d", resp.StatusCode)
	}
}

func TestSites(t *testing.T) {
	name := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Origin-Name", s) }
	}
	var demand []string
	o := proxy.ChainOptions{
		Pools: map[string]proxy.Pool{
			"shop": newPool(t, serve(t, name("shop")).URL), "static": newPool(t, serve(t, name("static")).URL),
		},
		Sites: map[string]*proxy.SiteOptions{
			"shop": {
				Hosts: []string{"shop.example", "*.shop.example"}, VIPs: []string{vip}, Origin: "shop",
				Paths: map[string]proxy.PathOptions{
					"/static/": {Origin: "static"}, "/static/live": {Origin: "shop", Cache: &cache.Policy{Off: true}},
				},
			},
			"other": {Hosts: []string{"elsewhere.example"}, VIPs: []string{"another"}, Origin: "shop"},
		},
		Demand: func(origin string) { demand = append(demand, origin) },
	}
	e := newEdge(t, o)
	c := e.client(t, "h2")
	f := func(host, target string, status int, origin string) {
		t.Helper()
		demand = nil
		resp, _ := do(t, c, e.request(t, "GET", host, target, nil))
		if resp.StatusCode != status || resp.Header.Get("Origin-Name") != origin {
			t.Errorf("%s%s: %d from %q, want %d from %q", host, target, resp.StatusCode, resp.Header.Get("Origin-Name"), status, origin)
		}
		if strings.Join(demand, " ") != origin {
			t.Errorf("%s%s: demand for %q, want %q", host, target, demand, origin)
		}
	}
	f("shop.example", "/", 200, "shop")
	f("a.b.shop.example", "/", 200, "shop")
	f("shop.example", "/static", 200, "static")
	f("shop.example", "/static/x", 200, "static")
	f("shop.example", "/statics", 200, "shop")
	f("shop.example", "/static/live/x", 200, "shop")
	f("shop.example", "//static//x", 200, "static")
	f("shop.example", "/%73tatic/x", 200, "static")
	f("shop.example", "/static/a%2Fb", 200, "static")
	f("shop.example", "/static%2Fx", 400, "") // one rule or the other, as the origin likes
	f("shop.example", "/static/live%3bx", 400, "")
	f("shop.example", "/static;/x", 400, "")
	f("unknown.example", "/", 421, "")
	f("elsewhere.example", "/", 421, "") // served, but not here
}

// TestKeysAreTargetsAsWritten keeps apart what only the origin can say to be the same.
func TestKeysAreTargetsAsWritten(t *testing.T) {
	o := onlyOrigin(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, r.RequestURI)
	}).URL)
	stored := newCache(t, "ams-1")
	o.Cache = stored
	e := newEdge(t, o)
	targets := []string{"/a|b?c|d", "/a%7Cb?c|d", "/a%7cb?c|d", "/a|b?c%7Cd"}
	for range 2 {
		for _, target := range targets {
			if _, content := do(t, e.client(t, "h2"), e.request(t, "GET", "example.com", target, nil)); content != target {
				t.Errorf("%s: answered with what is stored for %s", target, content)
			}
		}
	}
	for _, target := range targets {
		if result, err := stored.Purge(cache.PurgeRequest{URLs: []string{"https://example.com" + target}}); err != nil || result.Count != 1 {
			t.Errorf("purge %s: %+v, %v", target, result, err)
		}
	}
}

func TestRedirect(t *testing.T) {
	o := onlyOrigin(t, mirror(t).URL)
	o.Sites["shop"].Hosts = []string{"example.com"}
	e := newEdge(t, o)
	f := func(method, host, target string, status int, location string) {
		t.Helper()
		r := e.request(t, method, host, target, nil)
		r.URL.Scheme, r.URL.Host = "http", e.plain
		resp, _ := do(t, e.client(t, "h1"), r)
		if resp.StatusCode != status || resp.Header.Get("Location") != location {
			t.Errorf("%s %s: %d to %q, want %d to %q", host, target, resp.StatusCode, resp.Header.Get("Location"), status, location)
		}
	}
	f("GET", "example.com", "/a%2Fb|c?d=e", 308, "https://example.com/a%2Fb|c?d=e")
	f("POST", "Example.com:80", "/", 308, "https://example.com/")
	f("GET", "example.com", "//evil.example/", 308, "https://example.com//evil.example/")
	f("GET", "evil.example", "/", 421, "")
	f("GET", "example.com", "/../x", 400, "")
}

// TestRefusalsDontWaitForContent announces a content that never comes: the answer must not wait for it.
func TestRefusalsDontWaitForContent(t *testing.T) {
	o := onlyOrigin(t, mirror(t).URL)
	o.Sites["shop"].Hosts = []string{"example.com"}
	e := newEdge(t, o)
	if got := e.raw(t, "POST / HTTP/1.1\r\nHost: unknown.example\r\nContent-Length: 1000\r\n\r\n"); got != "421" {
		t.Errorf("unknown host: %q", got)
	}
	conn, err := net.Dial("tcp", e.plain)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000\r\n\r\n")
	if got := status(bufio.NewReader(conn)); got != "308" {
		t.Errorf("redirect: %q", got)
	}
}

// TestDocNamesEveryStep keeps doc.go's life of a request what chain.go does.
func TestDocNamesEveryStep(t *testing.T) {
	chain, err := os.ReadFile("chain.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	steps := regexp.MustCompile(`\{"(\w+)", \(\*Chain\)\.`).FindAllSubmatch(chain, -1)
	if len(steps) < 5 {
		t.Fatalf("%d steps found in chain.go", len(steps))
	}
	for _, s := range steps {
		at := strings.Index(string(doc), "\n//	"+string(s[1])+" ")
		if at < last {
			t.Errorf("doc.go: step %s is missing or out of order", s[1])
			continue
		}
		last = at
	}
}
