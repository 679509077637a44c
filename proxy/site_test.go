package proxy

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/cache"
)

func TestHostLookup(t *testing.T) {
	table := newHostTable()
	for _, pattern := range []string{"shop.example.com", "*.example.com", "*.shop.example.com", "Example.NET", "localhost", "[2001:db8::1]"} {
		if other := table.add(pattern, &site{name: pattern}); other != nil {
			t.Fatalf("%s: taken by %s", pattern, other.name)
		}
	}
	f := func(host, want string) {
		t.Helper()
		got := ""
		if s := table.lookup(host); s != nil {
			got = s.name
		}
		if got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	f("shop.example.com", "shop.example.com")
	f("www.example.com", "*.example.com")
	f("a.b.example.com", "*.example.com") // any depth
	f("a.shop.example.com", "*.shop.example.com")
	f("a.b.shop.example.com", "*.shop.example.com")
	f("example.com", "") // the star is one label or more
	f("notexample.com", "")
	f("example.net", "Example.NET")
	f("a.example.net", "")
	f("localhost", "localhost")
	f("[2001:db8::1]", "[2001:db8::1]")
	f("", "")
	table.add("*", &site{name: "*"})
	f("example.com", "*")
	f("localhost", "localhost")
}

func TestHostLookupAllocatesNothing(t *testing.T) {
	table := newHostTable()
	table.add("*.example.com", &site{})
	s := &site{root: new(rule), rules: map[string]*rule{}}
	s.add("/static/img", new(rule))
	if n := testing.AllocsPerRun(100, func() {
		host, _, _ := splitHost("a.b.c.example.com:443")
		_ = table.lookup(host)
		_ = s.match("/static/img/x.png")
		_, _, _ = readPath("/static/img/x.png?v=1")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestMatch(t *testing.T) {
	s := &site{root: new(rule), rules: map[string]*rule{}}
	names := map[*rule]string{s.root: "root"}
	for _, prefix := range []string{"/static/", "/static/img", "/account"} {
		r := new(rule)
		names[r] = prefix
		s.add(prefix, r)
	}
	f := func(path, want string) {
		t.Helper()
		if got := names[s.match(path)]; got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	f("/", "root")
	f("/x/static", "root")
	f("/static", "/static/")
	f("/static/", "/static/")
	f("/static/x", "/static/")
	f("/statics", "root")
	f("/static/img", "/static/img")
	f("/static/img/a/b/c/d", "/static/img")
	f("/static/images", "/static/")
	f("/account/", "/account")
	s.add("/", &rule{origin: "new root"})
	if s.match("/x").origin != "new root" {
		t.Error("a rule for / doesn't replace the site's own")
	}
}

func TestSitesPerVIP(t *testing.T) {
	f := func(sites map[string]*SiteOptions, problem string) *siteTable {
		t.Helper()
		c, err := NewChain(ChainOptions{Node: "a", Sites: sites, Pools: map[string]Pool{"o": unasked{}}, Cache: unused{}})
		if problem == "" && err != nil || problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("error %v, want %q", err, problem)
		}
		if c == nil {
			return nil
		}
		return c.sites
	}
	hosts := []string{"example.com"}
	table := f(map[string]*SiteOptions{
		"a": {Hosts: hosts, VIPs: []string{"one"}, Origin: "o"},
		"b": {Hosts: hosts, VIPs: []string{"two"}, Origin: "o"},
		"c": {Hosts: []string{"*"}, Origin: "o"},
	}, "")
	for vip, want := range map[string]string{"one": "a", "two": "b", "three": "c", "": "c"} {
		if got := table.lookup(vip, "example.com").name; got != want {
			t.Errorf("VIP %q: site %s, want %s", vip, got, want)
		}
	}
	f(map[string]*SiteOptions{"a": {Hosts: hosts, Origin: "o"}, "b": {Hosts: hosts, VIPs: []string{"one"}, Origin: "o"}},
		"sites.b.hosts: example.com is served by site a on the same VIP")
	f(map[string]*SiteOptions{"a": {Hosts: hosts, Origin: "p"}}, `sites.a: origin: there is no "p" among the origins`)
	f(map[string]*SiteOptions{"a": {Hosts: hosts, Origin: "o", Paths: map[string]PathOptions{"/x": {Origin: "p"}}}},
		`sites.a.paths./x: origin: there is no "p" among the origins`)
}

// unasked is a pool that nobody asks.
type unasked struct{ Pool }

// unused is a cache that nobody asks.
type unused struct{}

func (unused) Handler(string, cache.Policy, cache.Origin, cache.ErrorWriter) http.Handler { return nil }

func TestSplitHost(t *testing.T) {
	f := func(authority, host, port string, ok bool) {
		t.Helper()
		h, p, valid := splitHost(authority)
		if valid != ok || ok && (h != host || p != port) {
			t.Errorf("%q: %q %q %v, want %q %q %v", authority, h, p, valid, host, port, ok)
		}
	}
	f("example.com", "example.com", "", true)
	f("EXAMPLE.com.:8443", "example.com", "8443", true)
	f("example.com:", "example.com", "", true)
	f("[2001:DB8::1]:443", "[2001:db8::1]", "443", true)
	f("[2001:db8::1]", "[2001:db8::1]", "", true)
	f("192.0.2.1", "192.0.2.1", "", true)
	f("xn--caf-dma.example", "xn--caf-dma.example", "", true)
	f("a_b.example", "a_b.example", "", true)
	for _, bad := range []string{
		"", ".", ":443", "a:b:c", "a b", "a/b", "a@b", "a,b", "a..b", ".a", "[::1", "::1", "[fe80::1%25eth0]", "[1.2.3.4]",
		"a:65536", "a:-1", "a:+1", "café.example", "\u212a.example", "a%41", "*", "*.example.com", strings.Repeat("a.", 127) + "aa",
	} {
		f(bad, "", "", false)
	}
}

func FuzzSplitHost(f *testing.F) {
	for _, seed := range []string{"example.com:443", "[::1]:80", "a.", "[", "]:1", "::"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, authority string) {
		host, port, ok := splitHost(authority)
		if !ok {
			return
		}
		if again, _, ok := splitHost(host); !ok || again != host && !strings.HasSuffix(host, ".") {
			t.Fatalf("%q: %q is not stable: %q %v", authority, host, again, ok)
		}
		if host != strings.ToLower(host) || strings.ContainsAny(host+port, "/@?#, \r\n\"") {
			t.Fatalf("%q: host %q, port %q", authority, host, port)
		}
	})
}

func TestSiteOptionsCheck(t *testing.T) {
	o := &SiteOptions{
		Hosts: []string{"ok.example", "*.ok.example", "*", "*x.example", "a.*.b", "a:443", "https://a", ""},
		Paths: map[string]PathOptions{
			"/ok": {}, "/ok/": {}, "x": {}, "/a%20b": {}, "/a/../b": {}, "/a//b": {}, "/a;b": {}, "/": {}, "/caf\u00e9": {Cache: &cache.Policy{}},
		},
	}
	var keys []string
	o.Check(func(key, problem string) { keys = append(keys, key) })
	want := []string{"hosts[3]", "hosts[4]", "hosts[5]", "hosts[6]", "hosts[7]", "paths./a%20b", "paths./a/../b", "paths./a//b", "paths./a;b", "paths./ok/", "paths.x"}
	if !slices.Equal(keys, want) {
		t.Errorf("%v\nwant %v", keys, want)
	}
	new(SiteOptions).Check(func(key, problem string) {
		if key != "hosts" {
			t.Errorf("%s: %s", key, problem)
		}
	})
}
