package load_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/bench/load"
	edgetls "github.com/anyedge/anyedge/tls"
)

// server answers /SIZE with that many octets, over every protocol at one address, and counts.
type server struct {
	addr      string
	plain     string
	asked     atomic.Int64
	ranged    atomic.Int64
	handshake atomic.Int64 // whole ones, over TCP
	handler   atomic.Pointer[http.HandlerFunc]
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.handle(s.answer)
	pair, _, err := edgetls.SelfSigned("bench.test")
	if err != nil {
		t.Fatal(err)
	}
	var handler http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) { (*s.handler.Load())(w, r) }
	h := httptest.NewUnstartedServer(handler)
	h.EnableHTTP2 = true
	h.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	h.TLS.VerifyConnection = func(c tls.ConnectionState) error {
		if !c.DidResume {
			s.handshake.Add(1)
		}
		return nil
	}
	h.StartTLS()
	t.Cleanup(h.Close)
	s.addr = h.Listener.Addr().String()
	p := httptest.NewServer(handler)
	t.Cleanup(p.Close)
	s.plain = p.Listener.Addr().String()
	udp, err := net.ListenPacket("udp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	h3 := &http3.Server{Handler: handler, TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{pair}})}
	done := make(chan struct{})
	go func() { defer close(done); _ = h3.Serve(udp) }()
	t.Cleanup(func() { _ = h3.Close(); _ = udp.Close(); <-done })
	return s
}

// handle has requests handled by f from now on.
func (s *server) handle(f http.HandlerFunc) { s.handler.Store(&f) }

func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	n := s.asked.Add(1)
	if r.Host != "bench.test" || r.URL.RawQuery != "" {
		http.Error(w, "wrong", http.StatusBadRequest)
		return
	}
	size, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
	w.Header().Set("Cache-Status", "inner; fwd=miss, edge; "+[]string{"hit", "fwd=stale"}[n%2])
	if r.Header.Get("Range") != "" {
		s.ranged.Add(1)
		w.WriteHeader(http.StatusPartialContent)
	}
	_, _ = w.Write(make([]byte, size))
}

func (s *server) plan(p load.Protocol) load.Plan {
	plan := load.Plan{
		Protocol: p, Address: s.addr, Host: "bench.test", Connections: 3, Streams: 4, Timeout: time.Minute,
		Requests: 500, Request: func(i int) *load.Request { return &load.Request{Path: "/3000", Octets: 3000} },
	}
	if p == load.Plain {
		plan.Address = s.plain
	}
	return plan
}

var protocols = []load.Protocol{load.Plain, load.H1, load.H2, load.H3}

func run(t *testing.T, p load.Plan) *load.Result {
	t.Helper()
	r, err := load.Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Every request that the load counts is one that the server has counted.
func TestCounts(t *testing.T) {
	for _, rate := range []float64{0, 2000} {
		for _, p := range protocols {
			t.Run(fmt.Sprintf("%s at %g", p, rate), func(t *testing.T) {
				s := newServer(t)
				plan := s.plan(p)
				plan.Rate = rate
				r := run(t, plan)
				if r.Requests != 500 || s.asked.Load() != 500 || r.Failed() != 0 || r.Latency.TotalCount() != 500 {
					t.Errorf("%d requests, %d in the histogram, %d failed; the server had %d",
						r.Requests, r.Latency.TotalCount(), r.Failed(), s.asked.Load())
				}
				if r.Octets != 500*3000 || r.Opened != 3 || r.Closed != (rate == 0) {
					t.Errorf("%d octets over %d connections, closed loop: %v", r.Octets, r.Opened, r.Closed)
				}
				if r.Caches["hit"] != 250 || r.Caches["stale"] != 250 {
					t.Errorf("Cache-Status: %v", r.Caches)
				}
				answers := 0
				for _, p := range r.Series {
					answers += p.Answers
				}
				if answers != 500 {
					t.Errorf("%d answers in the series", answers)
				}
			})
		}
	}
}

// A large content arrives whole, also where it takes many frames and windows.
func TestLarge(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			plan := newServer(t).plan(p)
			plan.Requests, plan.Connections = 2, 1
			plan.Request = func(int) *load.Request { return &load.Request{Path: "/8000000", Octets: 8000000} }
			if r := run(t, plan); r.Octets != 16000000 {
				t.Errorf("%d octets", r.Octets)
			}
		})
	}
}

func TestRangesAndLengths(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			s := newServer(t)
			plan := s.plan(p)
			plan.Patient, plan.Requests = true, 40
			plan.Request = func(i int) *load.Request {
				return &load.Request{Path: "/10", Range: "bytes=0-9", Status: 206, Octets: 10 + int64(i%2)}
			}
			r := run(t, plan)
			if s.ranged.Load() != 40 || r.Failures["length"] != 20 || r.Failed() != 20 {
				t.Errorf("%d ranges, failures %v", s.ranged.Load(), r.Failures)
			}
			plan.Patient = false
			if _, err := load.Run(t.Context(), plan); err == nil || !strings.Contains(err.Error(), "10 octets of 11") {
				t.Errorf("impatient: %v", err)
			}
		})
	}
}

func TestHandshakes(t *testing.T) {
	for _, p := range []load.Protocol{load.H1, load.H3} {
		s := newServer(t)
		plan := s.plan(p)
		plan.Requests, plan.Kept = 30, load.New
		if r := run(t, plan); r.Opened != 30 || r.Resumed != 0 || p == load.H1 && s.handshake.Load() != 30 {
			t.Errorf("%s: %d connections, %d resumed, the server saw %d", p, r.Opened, r.Resumed, s.handshake.Load())
		}
		plan.Kept, plan.Connections = load.Resume, 1
		if r := run(t, plan); r.Opened != 30 || r.Resumed != 29 {
			t.Errorf("%s: %d connections, %d resumed", p, r.Opened, r.Resumed)
		}
	}
}

// In an open loop a request waits from when it was due: ten of a server that takes one at a time, due at once, wait for
// those before them.
func TestOpenLoopCountsTheWait(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			s := newServer(t)
			const each = 20 * time.Millisecond
			s.handle(func(w http.ResponseWriter, r *http.Request) { time.Sleep(each); s.answer(w, r) })
			plan := s.plan(p)
			plan.Connections, plan.Streams, plan.Requests, plan.Rate = 1, 1, 10, 1e6
			r := run(t, plan)
			if slowest := time.Duration(r.Latency.Max()); slowest < 9*each {
				t.Errorf("the slowest waited for %v", slowest)
			}
			if late := time.Duration(r.Lateness.ValueAtQuantile(50)); late >= each {
				t.Errorf("the wait for a stream counts as the load's own lateness: %v", late)
			}
		})
	}
}

// A patient load tells what clients saw before, while and after a server was away, and goes on by itself.
func TestAway(t *testing.T) {
	for _, p := range protocols {
		t.Run(string(p), func(t *testing.T) {
			s := newServer(t)
			s.handle(func(w http.ResponseWriter, r *http.Request) {
				switch n := s.asked.Load() + 1; {
				case n > 100 && n <= 110:
					s.asked.Add(1)
					panic(http.ErrAbortHandler)
				case n > 110 && n <= 120:
					s.asked.Add(1)
					w.WriteHeader(http.StatusBadGateway)
				default:
					s.answer(w, r)
				}
			})
			plan := s.plan(p)
			plan.Patient, plan.Requests, plan.Connections, plan.Streams = true, 300, 1, 1
			plan.Marks = []time.Duration{time.Hour}
			r := run(t, plan)
			if r.Requests != 300 || r.Failures["status 502"] != 10 || r.Failed() < 20 || r.Latency.TotalCount() < 270 {
				t.Errorf("%d requests, failures %v, %d answers", r.Requests, r.Failures, r.Latency.TotalCount())
			}
			if len(r.Phases) != 2 || r.Phases[0].Requests != 300 || r.Phases[1].Requests != 0 {
				t.Errorf("phases: %+v", r.Phases)
			}
		})
	}
}

// Nobody listens, or nobody answers.
func TestNobodyThere(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := ln.Addr().String()
	_ = ln.Close()
	for _, p := range []load.Protocol{load.Plain, load.H1, load.H2} {
		plan := load.Plan{Protocol: p, Address: free, Requests: 1, Request: func(int) *load.Request { return &load.Request{} }}
		if _, err := load.Run(t.Context(), plan); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: %v", p, err)
		}
	}
	s := newServer(t)
	s.handle(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for _, p := range protocols {
		plan := s.plan(p)
		plan.Patient, plan.Requests, plan.Timeout, plan.Connections = true, 2, 300*time.Millisecond, 1
		if r := run(t, plan); r.Failures["timeout"] != 2 {
			t.Errorf("%s: failures %v", p, r.Failures)
		}
	}
}

func TestEndsWithItsContext(t *testing.T) {
	for _, rate := range []float64{0, 100} {
		for _, p := range protocols {
			s := newServer(t)
			ctx, cancel := context.WithCancel(t.Context())
			s.handle(func(w http.ResponseWriter, r *http.Request) {
				if s.answer(w, r); s.asked.Load() >= 20 {
					cancel()
				}
			})
			plan := s.plan(p)
			plan.Requests, plan.Duration, plan.Rate, plan.Patient = 0, time.Hour, rate, true
			if r, err := load.Run(ctx, plan); err != nil || r.Requests < 20 {
				t.Errorf("%s at %g: %d requests, %v", p, rate, r.Requests, err)
			}
		}
	}
}

func TestPlansThatAreNone(t *testing.T) {
	ask := func(int) *load.Request { return &load.Request{} }
	for want, p := range map[string]load.Plan{
		"nothing to ask for":      {Requests: 1},
		"never end":               {Request: ask},
		"a rate of -1":            {Request: ask, Requests: 1, Rate: -1},
		"ask over h1":             {Request: ask, Requests: 1, Protocol: load.H2, Kept: load.New},
		"connect to nowhere:port": {Request: ask, Requests: 1, Protocol: load.H1, Address: "nowhere:port"},
	} {
		if _, err := load.Run(t.Context(), p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
