package probe_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health/probe"
	"github.com/anyedge/anyedge/proxy/listener"
	edgetls "github.com/anyedge/anyedge/tls"
)

const (
	patience = 10 * time.Second
	token    = "only we know"
	field    = "Anyedge-Self"
)

// answer is the self check's answer as the proxy gives it.
func answer(node string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(field) != token {
			http.Error(w, "no such host", http.StatusMisdirectedRequest)
			return
		}
		w.Header().Set(field, node)
		w.WriteHeader(http.StatusNoContent)
	})
}

// edge serves h with cert on loopback until the test ends, and returns the checks of it.
func edge(t *testing.T, cert tls.Certificate, h http.Handler) probe.Self {
	t.Helper()
	store, err := edgetls.Load(edgetls.Options{})
	must(t, err)
	must(t, store.Add(cert))
	vip := netip.MustParseAddr("127.0.0.1")
	c := listener.Config{
		VIP: "www", TLS: store.Config(), Handler: h,
		Options: listener.Options{Addresses: []netip.Addr{vip}, HTTPS: freePort(t), HTTP: freePort(t)},
	}
	c.Limits.SetDefaults()
	l, err := listener.Open(c)
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- l.Serve(context.Background()) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = l.Shutdown(ctx)
		must(t, <-served)
	})
	return probe.Self{
		VIP: "www", Node: "ams-1", Token: token, ServerName: "shop.example.com",
		HTTPS: netip.AddrPortFrom(vip, c.HTTPS), QUIC: netip.AddrPortFrom(vip, c.HTTPS), HTTP: netip.AddrPortFrom(vip, c.HTTP),
	}
}

func selfSigned(t *testing.T, hosts ...string) tls.Certificate {
	t.Helper()
	c, _, err := edgetls.SelfSigned(hosts...)
	must(t, err)
	return c
}

// freePort returns a port of 127.0.0.1 that is free for TCP and UDP. It isn't one of those that the kernel gives to whoever
// asks for any, which another test may get before it is bound again.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for range 100 {
		port := uint16(10_000 + rand.IntN(20_000))
		ln, err := net.Listen("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String())
		if err != nil {
			continue
		}
		udp, err := net.ListenPacket("udp", ln.Addr().String())
		must(t, ln.Close())
		if err == nil {
			must(t, udp.Close())
			return port
		}
	}
	t.Fatal("no port is free for both TCP and UDP")
	return 0
}

// checks are those of s by name.
func checks(s probe.Self) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{"https": s.Check, "h3": s.CheckQUIC, "http": s.CheckPlain}
}

func limited(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// noLeak fails the test if goroutines outlive what it did.
func noLeak(t *testing.T, did func()) {
	t.Helper()
	before := runtime.NumGoroutine()
	did()
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// quiet is the log of a server whose clients are meant to go.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
