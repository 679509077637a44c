package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/lifespan"
	"github.com/anyedge/anyedge/cache/memory"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy"
	"github.com/anyedge/anyedge/proxy/admission"
	"github.com/anyedge/anyedge/proxy/listener"
	"github.com/anyedge/anyedge/proxy/origin"
)

// BenchmarkMiss is what a miss costs between the server that has read a request and the kernel that has the one for the
// origin: the chain, the cache, the pool and its connection. The origin is one over loopback that allocates nothing.
func BenchmarkMiss(b *testing.B) {
	for _, kind := range []string{"unstored", "stored"} {
		b.Run(kind, func(b *testing.B) {
			m := newMisses(b, kind)
			b.ReportAllocs()
			for b.Loop() {
				m.ask()
			}
		})
	}
}

// misses are requests that go to the origin, as a server hands them to the chain, without what a server allocates.
type misses struct {
	chain   http.Handler
	stores  bool
	count   int
	request http.Request
	header  http.Header
	answer  discard
}

// missContent is what the origin answers with.
const missContent = 1 << 10

func newMisses(tb testing.TB, kind string) *misses {
	tb.Helper()
	m := &misses{stores: kind == "stored", answer: discard{header: http.Header{}}}
	control := "no-store"
	if m.stores {
		control = "public, max-age=3600"
	}
	m.chain = missChain(tb, missOrigin(tb, control))
	ctx := &missContext{values: listener.WithInfo(context.Background(), &listener.Info{VIP: vip, TLS: true, HTTPSPort: 443})}
	tb.Cleanup(ctx.End)
	m.header = http.Header{}
	m.request = *(&http.Request{
		Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "bench.test", RemoteAddr: "192.0.2.1:50000",
		Header: m.header, Body: http.NoBody, URL: &url.URL{Path: "/0/1024/1"}, RequestURI: "/0/1024/1",
	}).WithContext(ctx)
	return m
}

// missContext is the context of a request as the server of H1 has it.
type missContext struct {
	lifespan.Span
	values context.Context
}

func (c *missContext) Value(key any) any { return c.values.Value(key) }

var missFields = http.Header{"User-Agent": {"bench"}, "Accept": {"*/*"}, "Accept-Encoding": {"gzip, br"}}

// ask asks once: always for the same, or, where it may be stored, each time for something else.
func (m *misses) ask() {
	clear(m.header)
	for name, values := range missFields {
		m.header[name] = values
	}
	if m.stores {
		m.count++
		m.request.RequestURI = "/3600/1024/" + strconv.Itoa(m.count)
		m.request.URL.Path = m.request.RequestURI
	}
	m.answer.reset()
	m.chain.ServeHTTP(&m.answer, &m.request)
	if m.answer.status != http.StatusOK || m.answer.octets != missContent {
		panic(fmt.Sprintf("status %d, %d octets: %v", m.answer.status, m.answer.octets, m.answer.header))
	}
}

// missChain is a chain with all that a node gives one.
func missChain(tb testing.TB, server string) http.Handler {
	tb.Helper()
	quiet, journal, reg := slog.New(slog.DiscardHandler), health.NewJournal(100), prometheus.NewRegistry()
	var healthOptions health.Options
	healthOptions.SetDefaults()
	tracker := health.NewTracker(healthOptions, journal)
	var poolOptions origin.Options
	poolOptions.SetDefaults()
	poolOptions.Servers = []string{server}
	pool, err := origin.New("files", poolOptions, tracker, journal, quiet)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	var cacheOptions cache.Options
	cacheOptions.SetDefaults()
	stored := cache.New(cacheOptions, "ams-1", memory.New(cacheOptions.Memory), quiet)
	tb.Cleanup(func() { _ = stored.Close(context.Background()) })
	var limits admission.Options
	limits.SetDefaults()
	chain, err := proxy.NewChain(proxy.ChainOptions{
		Node: "ams-1", Cache: stored, Sites: map[string]*proxy.SiteOptions{"files": {Hosts: []string{"*"}, Origin: "files"}},
		Pools: map[string]proxy.Pool{"files": pool}, Admission: admission.New(limits, reg), SelfToken: "secret",
		Demand: tracker.Request, Unanswered: tracker.Unanswered, Metrics: proxy.NewMetrics(reg), Journal: journal, Log: quiet,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return chain
}

// missOrigin is an origin that answers whatever it is asked, one answer for each request, and returns its URL.
func missOrigin(tb testing.TB, control string) string {
	tb.Helper()
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nEtag: \"5f3c-61a0\"\r\nLast-Modified: Mon, 02 Nov 2026 10:00:00 GMT\r\n" +
		"Date: Mon, 30 Nov 2026 10:00:00 GMT\r\nCache-Control: " + control + "\r\nAccept-Ranges: bytes\r\nContent-Length: " +
		strconv.Itoa(missContent) + "\r\n\r\n" + strings.Repeat("x", missContent))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = ln.Close() })
	go func() { // ends with the listener
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			tb.Cleanup(func() { _ = c.Close() })
			go answerAll(c, answer) // ends with its connection
		}
	}()
	return "http://" + ln.Addr().String()
}

func answerAll(c net.Conn, answer []byte) {
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) > len("\r\n") {
			continue
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// discard is a server's ResponseWriter that counts what it gets.
type discard struct {
	header         http.Header
	status, octets int
}

func (d *discard) reset() { clear(d.header); d.status, d.octets = 0, 0 }

func (d *discard) Header() http.Header { return d.header }

func (d *discard) WriteHeader(status int) { d.status = status }

func (d *discard) SetWriteDeadline(time.Time) error { return nil }

func (d *discard) Write(p []byte) (int, error) { d.octets += len(p); return len(p), nil }

// TestMissAllocations bounds what BenchmarkMiss measures.
func TestMissAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for kind, most := range map[string]float64{"unstored": 22, "stored": 46} {
		m := newMisses(t, kind)
		m.ask() // connects
		if n := testing.AllocsPerRun(200, m.ask); n > most {
			t.Errorf("a miss that is %s allocates %v times, want at most %v", kind, n, most)
		}
	}
}
