package proxy_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
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
	"github.com/anyedge/anyedge/proxy/listener"
)

// BenchmarkGrowth is what the chain takes to find a stored response, and to account for it, on a node that has more and more
// of one thing: stored responses, sites, VIPs with sites of their own. Each request is for any of them, as likely as another,
// or by popularity (zipf). More responses than a million are for who asks for them, in $GROWTH: ten million take 9 GiB.
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
			s := g.node(b)
			g.fill(s)
			runtime.GC()
			b.Run("uniform", func(b *testing.B) { g.ask(b, s, func() int { return rand.IntN(g.objects) }) })
			popular := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, uint64(g.objects-1))
			const apart = 7919 // those that are asked for often were not stored one after the other
			b.Run("zipf", func(b *testing.B) { g.ask(b, s, func() int { return int(popular.Uint64()) * apart % g.objects }) })
		})
	}
}

// growth is how much a node has of what: objects in all, sites with as many each, VIPs with as many sites each.
type growth struct{ objects, sites, vips int }

func (g growth) vip(object int) string  { return fmt.Sprintf("vip-%d", object%g.vips) }
func (g growth) host(object int) string { return fmt.Sprintf("site-%d.example.com", object%g.sites) }

// node returns a node that has stored nothing yet.
func (g growth) node(b *testing.B) *proxy.Server {
	b.Helper()
	var options cache.Options
	options.SetDefaults()
	options.Memory = 16 << 30
	stored := cache.New(options, "ams-1", memory.New(options.Memory), slog.New(slog.DiscardHandler))
	b.Cleanup(func() { _ = stored.Close(context.Background()) })
	content := strings.Repeat("x", 100)
	o := proxy.ChainOptions{Node: "ams-1", Metrics: proxy.NewMetrics(prometheus.NewRegistry()), Cache: stored, Sites: map[string]*proxy.SiteOptions{}, Pools: map[string]proxy.Pool{
		"backend": roundTripper(func(*http.Request) (*http.Response, error) {
			header := http.Header{"Cache-Control": {"max-age=3600"}, "Content-Type": {"text/plain"}}
			return &http.Response{StatusCode: 200, Header: header, Body: io.NopCloser(strings.NewReader(content)), ContentLength: int64(len(content))}, nil
		}),
	}}
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
	return s
}

// fill asks for each object once.
func (g growth) fill(s *proxy.Server) {
	var all sync.WaitGroup
	at := runtime.GOMAXPROCS(0)
	for first := range at {
		all.Go(func() {
			for i := first; i < g.objects; i += at {
				r := &http.Request{
					Method: http.MethodGet, URL: &url.URL{Path: fmt.Sprintf("/%d", i)}, Host: g.host(i), Header: http.Header{},
					Proto: "HTTP/2.0", ProtoMajor: 2, RemoteAddr: "192.0.2.1:1234", RequestURI: fmt.Sprintf("/%d", i), Body: http.NoBody,
				}
				info := &listener.Info{VIP: g.vip(i), TLS: true, HTTPSPort: 443}
				s.ServeHTTP(httptest.NewRecorder(), r.WithContext(listener.WithInfo(context.Background(), info)))
			}
		})
	}
	all.Wait()
}

// ask asks for objects that are stored, in a request that is made anew each time, as one that has just been read.
func (g growth) ask(b *testing.B, s *proxy.Server, next func() int) {
	vips := make([]string, g.vips) // a connection has its VIP's
	for i := range vips {
		vips[i] = g.vip(i)
	}
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
