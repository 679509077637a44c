package proxy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/proxy"
)

// logLines collects an access log. Lines come when a request is over, which may be after its client has the answer.
type logLines struct {
	lines chan []byte
}

func newLog() (*logLines, *slog.Logger) {
	l := &logLines{make(chan []byte, 64)}
	return l, slog.New(slog.NewJSONHandler(l, nil))
}

func (l *logLines) Write(p []byte) (int, error) {
	l.lines <- bytes.Clone(p)
	return len(p), nil
}

func (l *logLines) next(t *testing.T) map[string]any {
	t.Helper()
	var line map[string]any
	select {
	case raw := <-l.lines:
		if err := json.Unmarshal(raw, &line); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
	case <-t.Context().Done():
	}
	return line
}

// check compares the attributes in want; nil means that there is none.
func (l *logLines) check(t *testing.T, want map[string]any) {
	t.Helper()
	line := l.next(t)
	for key, v := range want {
		if line[key] != v {
			t.Errorf("%s: %v, want %v, in %v", key, line[key], v, line)
		}
	}
}

func TestAccessLog(t *testing.T) {
	lines, logger := newLog()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, "hello")
	})
	o := onlyOrigin(t, server.URL)
	o.AccessLog = logger
	e := newEdge(t, o)
	eachProtocol(t, e, func(t *testing.T, protocol string, c *http.Client) {
		r := e.request(t, "POST", "Shop.example.com", "/a|b?c", strings.NewReader("content"))
		r.Header.Set("User-Agent", "test/1")
		r.Header.Set("Referer", "https://example.com/")
		do(t, c, r)
		line := lines.next(t)
		for key, want := range map[string]any{
			"msg": "request", "client": "127.0.0.1", "host": "Shop.example.com", "method": "POST", "target": "/a|b?c",
			"status": 200.0, "bytes_out": 5.0, "bytes_in": 7.0, "proto": strings.TrimSuffix(protocol, "-loop"), "tls": "1.3", "vip": vip, "site": "shop",
			"node": "ams-1", "cache": "method", "origin": "backend", "server": server.Listener.Addr().String(),
			"user_agent": "test/1", "referer": "https://example.com/", "error": nil,
		} {
			if line[key] != want {
				t.Errorf("%s: %v, want %v", key, line[key], want)
			}
		}
		if ttfb, total := line["ttfb_ms"].(float64), line["duration_ms"].(float64); ttfb > total || total <= 0 {
			t.Errorf("ttfb %v of %v ms", ttfb, total)
		}
		target := "/" + protocol
		for _, want := range []string{"uri-miss", "hit"} {
			do(t, c, e.request(t, "GET", "example.com", target, nil))
			lines.check(t, map[string]any{"cache": want, "status": 200.0})
		}
	})
}

func TestAccessLogOfErrors(t *testing.T) {
	lines, logger := newLog()
	arrived, left := make(chan struct{}), make(chan struct{})
	o := withPool(roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/wait" {
			close(arrived)
			<-r.Context().Done()
			close(left)
		}
		return nil, errors.New("dial 192.0.2.80: broken")
	}))
	o.AccessLog = logger
	o.Sites["shop"].Hosts = []string{"example.com"}
	e := newEdge(t, o)
	c := e.client(t, "h2")
	resp, page := do(t, c, e.request(t, "GET", "example.com", "/", nil))
	line := lines.next(t)
	if line["status"] != 502.0 || line["error"] != "connection_terminated" || !strings.Contains(line["reason"].(string), "192.0.2.80") {
		t.Errorf("%d: %v", resp.StatusCode, line)
	}
	if id, _ := line["request_id"].(string); id == "" || !strings.Contains(page, id) {
		t.Errorf("request ID %q isn't on the page %q", id, page)
	}

	do(t, c, e.request(t, "GET", "unknown.example", "/", nil))
	lines.check(t, map[string]any{"status": 421.0, "error": "http_request_error", "reason": "host_unknown", "site": "", "origin": nil})

	// The client leaves before it is answered.
	conn := e.dial(t)
	_, _ = io.WriteString(conn, "POST /wait HTTP/1.1\r\nHost: example.com\r\nContent-Length: 0\r\n\r\n")
	<-arrived
	_ = conn.Close()
	<-left
	lines.check(t, map[string]any{"status": 499.0, "error": "client_gone", "bytes_out": 0.0})
}

func TestAccessLogOfTunnels(t *testing.T) {
	lines, logger := newLog()
	o := onlyOrigin(t, serve(t, wsOrigin).URL)
	o.AccessLog = logger
	e := newEdge(t, o)
	conn := e.dial(t)
	_, _ = io.WriteString(conn, wsRequest+"\r\n1234567")
	answers := bufio.NewReader(conn)
	expect(t, answers, "HTTP/1.1 101 ") // an end before that is taken for the client's leaving
	_ = conn.CloseWrite()
	_, _ = io.Copy(io.Discard, answers)
	lines.check(t, map[string]any{"status": 101.0, "bytes_in": 7.0, "bytes_out": float64(len("hello 1234567goodbye")), "proto": "h1"})
	resp, write := e.wsStream(t, "h2", "websocket")
	_, _ = io.WriteString(write, "1234567")
	_ = write.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	lines.check(t, map[string]any{"status": 200.0, "bytes_in": 7.0, "bytes_out": float64(len("hello 1234567goodbye")), "proto": "h2"})
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	lines, logger := newLog()
	o := onlyOrigin(t, mirror(t).URL)
	o.Metrics, o.AccessLog = proxy.NewMetrics(registry), logger
	e := newEdge(t, o)
	var once sync.WaitGroup
	for _, protocol := range protocols {
		once.Go(func() {
			do(t, e.client(t, protocol), e.request(t, "POST", "example.com", "/", strings.NewReader("12345")))
		})
	}
	once.Wait()
	do(t, e.client(t, "h2"), e.request(t, "GET", "a,b", "/", nil))
	for range len(protocols) + 1 {
		lines.next(t) // the metrics come before the line
	}
	f := func(want float64, name string, labels ...string) {
		t.Helper()
		if got := metric(t, registry, name, labels...); got != want {
			t.Errorf("%s %v: %v, want %v", name, labels, got, want)
		}
	}
	for protocol, want := range map[string]float64{"h1": 2, "h2": 2, "h3": 2} { // with the loop and without
		f(want, "anyedge_proxy_requests_total", "class=2xx", "proto="+protocol, "site=shop", "vip=www")
	}
	f(1, "anyedge_proxy_requests_total", "class=4xx", "proto=h2", "site=", "vip=www")
	f(30, "anyedge_proxy_received_bytes_total", "site=shop", "vip=www")
	f(6, "anyedge_proxy_request_duration_seconds", "site=shop", "vip=www")
	f(0, "anyedge_proxy_requests_in_flight")
	if metric(t, registry, "anyedge_proxy_sent_bytes_total", "site=shop", "vip=www") < 100 {
		t.Error("no octets sent")
	}
}

// metric is a counter's or gauge's value, or a histogram's count.
func metric(t *testing.T, from prometheus.Gatherer, name string, labels ...string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, l.GetName()+"="+l.GetValue())
			}
			if family.GetName() == name && slices.Equal(have, labels) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	t.Errorf("there is no %s %v", name, labels)
	return 0
}
