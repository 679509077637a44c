package main

import (
	"bytes"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/bench/report"
	edgetls "github.com/anyedge/anyedge/tls"
)

// newEdge is a server that says every second answer came from a cache.
func newEdge(t *testing.T) (address string) {
	t.Helper()
	pair, _, err := edgetls.SelfSigned("bench.test")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan int, 1)
	asked <- 0
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := <-asked
		asked <- n + 1
		w.Header().Set("Cache-Status", []string{"edge; hit", "edge; fwd=stale"}[n%2])
		_, _ = io.WriteString(w, r.Host+r.URL.Path)
	})
	h := httptest.NewUnstartedServer(handler)
	h.EnableHTTP2 = true
	h.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	h.StartTLS()
	t.Cleanup(h.Close)
	udp, err := net.ListenPacket("udp", h.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	h3 := &http3.Server{Handler: handler, TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{pair}})}
	done := make(chan struct{})
	go func() { defer close(done); _ = h3.Serve(udp) }()
	t.Cleanup(func() { _ = h3.Close(); _ = udp.Close(); <-done })
	return h.Listener.Addr().String()
}

func bench(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var a, b bytes.Buffer
	code = execute(t.Context(), args, &a, &b)
	return code, a.String(), b.String()
}

func scenarioFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// An edge that runs already is asked over every protocol, and what comes of it is a table, plots and figures.
func TestRunAgainstARunningEdge(t *testing.T) {
	file := scenarioFile(t, `about: a few requests
h1: {connections: 2}
h2: {connections: 2, streams: 2}
h3: {connections: 2, streams: 2}
content: {octets: 1KiB}
rate: 100
duration: 300ms
timeout: 1m
`)
	dir := filepath.Join(t.TempDir(), "out")
	code, out, errOut := bench(t, "run", file, "--edge", newEdge(t), "--host", "shop.example.com", "--path", "/x", "--out", dir)
	if code != exitGood {
		t.Fatalf("exit code %d: %s%s", code, out, errOut)
	}
	for _, want := range []string{"mine: a few requests", "| edge h1", "| edge h2", "| edge h3", "50.0 %", "An open loop: 100 requests"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s\nwants %q", out, want)
		}
	}
	for _, name := range []string{"latency", "throughput", "offload"} {
		text, err := os.ReadFile(filepath.Join(dir, "mine-"+name+".svg"))
		if err != nil {
			t.Error(err)
			continue
		}
		wellFormed(t, text)
	}
	figures, err := os.ReadFile(filepath.Join(dir, "mine.bench"))
	if err != nil || !strings.Contains(string(figures), "BenchmarkMine/server=edge-h3 30 ") || !strings.Contains(string(figures), " p99-ns") {
		t.Errorf("%v\n%s", err, figures)
	}
}

func wellFormed(t *testing.T, text []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
}

// The edge's origin is the command itself, which goes away in the middle.
func TestRunAsTheOrigin(t *testing.T) {
	file := scenarioFile(t, `about: the origin dies
h1: {connections: 2}
content: {octets: 1KiB, fresh: 0s}
rate: 50
duration: 900ms
events: [{at: 300ms, do: origin_down}, {at: 600ms, do: origin_up}]
`)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := ln.Addr().String()
	_ = ln.Close()
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := http.Get("http://" + origin + r.URL.Path)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		_, _ = io.Copy(w, resp.Body)
	}))
	proxy.StartTLS()
	defer proxy.Close()
	code, out, errOut := bench(t, "run", file, "--edge", proxy.Listener.Addr().String(), "--origin", origin, "--out", "")
	if code != exitGood {
		t.Fatalf("exit code %d: %s%s", code, out, errOut)
	}
	for _, want := range []string{"origin down, 300ms", "status 502", "origin, direct", "refused"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s\nwants %q", out, want)
		}
	}
}

func TestUsage(t *testing.T) {
	bad := scenarioFile(t, "about: x\nh1: {}\ncontent: {octets: 1KiB}\nduraton: 1s\n")
	for want, args := range map[string][]string{
		"name one scenario: ":           {"run"},
		"there is no scenario hitt":     {"run", "hitt"},
		`did you mean "duration"?`:      {"run", bad},
		"bench/lab":                     {"run", "route-flip"},
		"are for an edge that runs":     {"run", "hit", "--path", "/x"},
		"goes with one of --origin":     {"run", "hit", "--edge", "192.0.2.1:443"},
		"which must be this command":    {"run", "origin-death", "--edge", "192.0.2.1:443", "--path", "/x"},
		"leave out --path":              {"run", "range", "--edge", "192.0.2.1:443", "--path", "/x"},
		"h4 is not h1, h2 or h3":        {"run", "hit", "--protocols", "h4"},
		"there is no peer iis":          {"compare", "hit", "--peers", "iis", "--edge", "a=/dev/null"},
		"it must be NAME=PROGRAM":       {"compare", "hit", "--edge", "a"},
		"name the commit":               {"check"},
		"name two programs":             {"check", "--edge", "a=/dev/null"},
		"--runs must be at least 10":    {"check", "HEAD", "--runs", "5"},
		"unknown flag":                  {"compare", "--fast"},
		"unknown command":               {"measure"},
		"no such file or directory":     {"compare", "hit", "--edge", "a=/nowhere/at/all"},
		"there is no scenario nonsense": {"compare", "nonsense"},
		"there is no scenario other":    {"check", "HEAD", "--scenarios", "other"},
		"route-flip is for run":         {"compare", "route-flip"},
	} {
		if code, out, errOut := bench(t, args...); code == exitGood || !strings.Contains(errOut, want) {
			t.Errorf("%v: exit code %d: %s%s\nwants %q", args, code, out, errOut, want)
		}
	}
}

func TestCells(t *testing.T) {
	for want, got := range map[string]string{
		"no h3":      cell(nil, report.Count, "no h3"),
		"12":         cell(report.Sample{12}, report.Count, ""),
		"12, failed": cell(report.Sample{12}, report.Count, "failed"),
		"9 hit, 2 a": counts(map[string]int{"a": 2, "hit": 9}),
		"3 a, 3 b":   counts(map[string]int{"b": 3, "a": 3}),
		"1.25×":      ratio(1.25),
		"–":          counts(nil),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What other programs print is understood, or refused.
func TestFound(t *testing.T) {
	if n, err := found(`(\d+) requests in`, "wrk", []byte("  123456 requests in 2.00s, 1MB read\n")); n != 123456 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := found(`status codes: (\d+) 2xx, 0 3xx`, "h2load", []byte("status codes: 5 2xx, 1 3xx")); err == nil {
		t.Error("failures are taken")
	}
}
