package proxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
	"github.com/anyedge/anyedge/proxy"
	"github.com/anyedge/anyedge/proxy/hitpath"
)

// BenchmarkGrowth is what the chain takes to find a stored response, and to account for it, on a node that has more and more
// of one thing: stored responses, sites, VIPs with sites of their own. Each request is for any of them, as likely as another,
// or by popularity (zipf). More responses than a million are for who asks for them, in $GROWTH.
func BenchmarkGrowth(b *testing.B) {
	list := []growth{
		{1000, 1, 1},
		{100_000, 1, 1},
		{1_000_000, 1, 1},
		{10_000, 1, 1},
		{10_000, 100, 1},
		{10_000, 10_000, 1},
		{10_000, 1000, 1000},
	}
	if n, err := strconv.Atoi(os.Getenv("GROWTH")); err == nil {
		list = []growth{{1000, 1, 1}, {n, 1, 1}}
	}
	for _, g := range list {
		b.Run(fmt.Sprintf("objects=%d/sites=%d/vips=%d", g.objects, g.sites, g.vips), func(b *testing.B) {
			s, stored := g.node(b)
			vips := g.vipNames()
			g.fill(stored)
			b.Run("uniform", func(b *testing.B) { g.ask(b, s, vips, func() int { return rand.IntN(g.objects) }) })
			popular := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, uint64(g.objects-1))
			const apart = 7919 // those that are asked for often were not stored one after the other
			b.Run("zipf", func(b *testing.B) { g.ask(b, s, vips, func() int { return int(popular.Uint64()) * apart % g.objects }) })
		})
	}
}

// growth is how much a node has of what: objects in all, sites with as many each, VIPs with as many sites each.
type growth struct{ objects, sites, vips int }

func (g growth) vip(object int) string  { return fmt.Sprintf("vip-%d", object%g.vips) }
func (g growth) host(object int) string { return fmt.Sprintf("site-%d.example.com", object%g.sites) }

// vipNames are those that connections have: their listener's.
func (g growth) vipNames() []string {
	vips := make([]string, g.vips)
	for i := range vips {
		vips[i] = g.vip(i)
	}
	return vips
}

// node returns a node, and its cache, in which nothing is stored yet.
func (g growth) node(b *testing.B) (*proxy.Server, *cache.Cache) {
	b.Helper()
	var options cache.Options
	options.SetDefaults()
	options.Memory = 16 << 30
	stored := cache.New(options, "ams-1", memory.New(options.Memory), slog.New(slog.DiscardHandler))
	b.Cleanup(func() { _ = stored.Close(context.Background()) })
	o := proxy.ChainOptions{
		Node: "ams-1", Metrics: proxy.NewMetrics(prometheus.NewRegistry()), Cache: stored,
		Sites: map[string]*proxy.SiteOptions{}, Pools: map[string]proxy.Pool{"backend": small{}},
	}
	for i := range g.sites {
		site := &proxy.SiteOptions{Hosts: []string{g.host(i)}, Origin: "backend"}
		if g.vips > 1 {
			site.VIPs = []string{g.vip(i)}
		}
		o.Sites[fmt.Sprintf("site-%d", i)] = site
	}
	chain, err := proxy.NewChain(o)
	if err != nil {
		b.Fatal(err)
	}
	s := proxy.NewServer()
	s.Swap(chain)
	return s, stored
}

// small is an origin of 100 octets.
type small struct{}

func (small) RoundTrip(*http.Request) (*http.Response, error) {
	content := strings.Repeat("x", 100)
	header := http.Header{"Cache-Control": {"max-age=3600"}, "Content-Type": {"text/plain"}}
	return &http.Response{StatusCode: 200, Header: header, Body: io.NopCloser(strings.NewReader(content)), ContentLength: int64(len(content))}, nil
}

// fill asks the cache for each object once, with each processor for some of them. The chain would do no more for what is
// stored, but takes twice as long.
func (g growth) fill(stored *cache.Cache) {
	sites := make([]http.Handler, g.sites)
	for i := range sites {
		sites[i] = stored.Handler(fmt.Sprintf("site-%d", i), cache.Policy{}, small{}, nil)
	}
	var all sync.WaitGroup
	each, secure := runtime.GOMAXPROCS(0), &tls.ConnectionState{}
	for first := range each {
		all.Go(func() {
			client := &discard{header: http.Header{}}
			for i := first; i < g.objects; i += each {
				client.reset()
				r := &http.Request{
					Method: http.MethodGet, Host: g.host(i), URL: &url.URL{Path: "/" + strconv.Itoa(i)}, TLS: secure,
					Header: http.Header{}, Body: http.NoBody,
				}
				sites[i%g.sites].ServeHTTP(client, r)
			}
		})
	}
	all.Wait()
}

// ask asks for objects that are stored, in a request that is made anew each time, as one that has just been read.
func (g growth) ask(b *testing.B, s *proxy.Server, vips []string, next func() int) {
	r := hitpath.Request{Protocol: "h1", Client: netip.AddrFrom4([4]byte{192, 0, 2, 1}), At: time.Now(), Room: 1 << 20, Method: http.MethodGet}
	a := hitpath.Answer{Scratch: make([]byte, 0, 256)}
	var text [64]byte
	for b.Loop() {
		i := next()
		r.VIP = vips[i%g.vips]
		r.Target = string(strconv.AppendInt(append(text[:0], '/'), int64(i), 10))
		r.Host = string(append(strconv.AppendInt(append(text[:0], "site-"...), int64(i%g.sites), 10), ".example.com"...))
		a = hitpath.Answer{Status: a.Status[:0], Scratch: a.Scratch}
		if !s.Find(&r, &a) {
			b.Fatalf("%s on %s of %s isn't stored", r.Target, r.Host, r.VIP)
		}
		a.Whole, a.Sent = true, 100
		a.Account.Served(&r, &a)
	}
}
