package origin_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/origin"
)

// probing makes probes quick.
func probing(o *origin.Options) {
	o.Probe.Path = "/healthz"
	o.Probe.Interval, o.Probe.Timeout = 20*time.Millisecond, 200*time.Millisecond
}

// run runs the pool until the test ends.
func (b *bench) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

func (b *bench) lastServers() (last census) {
	if all := b.allServers(); len(all) > 0 {
		return all[len(all)-1]
	}
	return census{up: -1}
}

func TestProbes(t *testing.T) {
	var status atomic.Int32
	status.Store(http.StatusNoContent)
	sick := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			w.WriteHeader(int(status.Load()))
		}
	})
	well := serve(t, describe)
	b := open(t, probing, sick.URL, well.URL)
	if st := b.Status().Servers[0].State; st != origin.Unprobed {
		t.Errorf("before any probe: %s", st)
	}
	b.run(t)
	b.until(t, "both up", func() bool { return b.lastServers().up == 2 })

	status.Store(http.StatusNotFound)
	b.until(t, "one down", func() bool { return b.lastServers().up == 1 })
	if d := b.lastServers().detail; !strings.Contains(d, "404") || !strings.Contains(sick.URL, strings.Split(d, ": ")[0]) {
		t.Errorf("the report doesn't say which server and why: %q", d)
	}
	b.until(t, "an event", func() bool { return len(b.events("down: 3 probes in a row failed: GET /healthz answered 404")) == 1 })
	if st := b.Status().Servers[0].State; st != origin.Down {
		t.Errorf("state %s, want down", st)
	}
	for range 20 {
		if resp, _ := b.must(t, get(t)); "http://"+resp.Request.URL.Host != well.URL {
			t.Fatal("a request went to the server that is down")
		}
	}

	status.Store(http.StatusFound)
	b.until(t, "both up again", func() bool { return b.lastServers().up == 2 })
}

// An origin that never answered is unknown, then down; at no time is it up.
func TestDeadFromTheStart(t *testing.T) {
	b := open(t, func(o *origin.Options) { probing(o); hurry(o) }, refused(t))
	b.run(t)
	b.until(t, "a report", func() bool { return len(b.allServers()) > 0 })
	for _, c := range b.allServers() {
		if c.up != 0 || c.total != 1 || !strings.Contains(c.detail, "refused") {
			t.Errorf("reported %+v", c)
		}
	}
	_, _, err := b.fetch(get(t)) // tried all the same
	wantError(t, err, origin.ConnectionRefused, 502)
}

func TestProbeAsks(t *testing.T) {
	seen := make(chan string, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case seen <- r.Method + " " + r.Host + r.URL.RequestURI():
		default:
		}
	})
	for want, change := range map[string]func(*origin.Options){
		"GET " + strings.TrimPrefix(s.URL, "http://") + "/healthz": probing,
		"GET pool.example.com/healthz":                             func(o *origin.Options) { probing(o); o.Host = "pool.example.com" },
		"GET probe.example.com/healthz":                            func(o *origin.Options) { probing(o); o.Host = "pool.example.com"; o.Probe.Host = "probe.example.com" },
	} {
		t.Run(want, func(t *testing.T) {
			open(t, change, s.URL).run(t)
			if got := <-seen; got != want {
				t.Errorf("got %s", got)
			}
		})
		for len(seen) > 0 {
			<-seen
		}
	}
}

func TestProbeWithoutEnd(t *testing.T) {
	b := open(t, func(o *origin.Options) { probing(o); o.Probe.Fall = 1 }, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.Copy(w, zero{})
	}).URL)
	b.run(t)
	b.until(t, "up", func() bool { return b.lastServers().up == 1 })
}

func TestProbeTimesOut(t *testing.T) {
	b := open(t, func(o *origin.Options) { probing(o); o.Probe.Fall = 1 }, serveRaw(t, untilClosed))
	b.run(t)
	b.until(t, "down", func() bool { return b.lastServers().up == 0 })
}

func TestNoProbesNoReports(t *testing.T) {
	b := open(t, nil, serve(t, describe).URL)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Run(ctx); err != nil || len(b.allServers()) != 0 {
		t.Errorf("Run returned %v, reported %v", err, b.allServers())
	}
}

// Once Run has returned and Close was called, nothing of the pool runs any more.
func TestNothingIsLeft(t *testing.T) {
	s := serve(t, describe)
	before := runtime.NumGoroutine()
	var o origin.Options
	o.SetDefaults()
	probing(&o)
	o.Servers = []string{s.URL, refused(t)}
	p, err := origin.New("shop", o, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Pool: p, recorder: newRecorder()}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	for range 20 {
		_, _, _ = b.fetch(get(t))
	}
	cancel()
	<-done
	p.Close()
	s.Close()
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}
