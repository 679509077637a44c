package proxy

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// TestTallies: what requests of all kinds of a site took, received and sent is summed, and they are counted by kind.
func TestTallies(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	h1 := m.tallies.of(kind{"www", "h1", 2}, "shop")
	for _, took := range []time.Duration{-1, 0, 500 * time.Microsecond, 500*time.Microsecond + 1, 3 * time.Second, 2 * time.Minute} {
		h1.note(took, 100)
	}
	h2 := m.tallies.of(kind{"www", "h2", 4}, "shop")
	h2.note(time.Minute, 10)
	h2.received.Add(7)
	if again := m.tallies.of(kind{"www", "h1", 2}, "shop"); again != h1 {
		t.Error("one kind has two tallies")
	}
	m.tallies.of(kind{"www", "h1", 4}, "").note(time.Millisecond, 0)
	want := `anyedge_proxy_received_bytes_total{site="",vip="www"} 0
anyedge_proxy_received_bytes_total{site="shop",vip="www"} 7
` + histogram(`site="",vip="www"`, "0.001", "0 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1") +
		histogram(`site="shop",vip="www"`, "183.001", "3 4 4 4 4 4 4 4 4 4 4 4 5 5 5 6 7") +
		`anyedge_proxy_requests_in_flight 0
anyedge_proxy_requests_total{class="2xx",proto="h1",site="shop",vip="www"} 6
anyedge_proxy_requests_total{class="4xx",proto="h1",site="",vip="www"} 1
anyedge_proxy_requests_total{class="4xx",proto="h2",site="shop",vip="www"} 1
anyedge_proxy_sent_bytes_total{site="",vip="www"} 0
anyedge_proxy_sent_bytes_total{site="shop",vip="www"} 610
`
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	var got strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if !strings.HasPrefix(line, "#") {
			got.WriteString(line)
		}
	}
	if got.String() != want {
		t.Errorf("%s\nwant:\n%s", &got, want)
	}
}

// histogram is its text, with how many there were up to each bound.
func histogram(labels, sum, counts string) string {
	const name = "anyedge_proxy_request_duration_seconds"
	var text strings.Builder
	each := strings.Fields(counts)
	bounds := strings.Fields("0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30 60 +Inf")
	for i, bound := range bounds {
		text.WriteString(name + "_bucket{" + labels + `,le="` + bound + `"} ` + each[i] + "\n")
	}
	text.WriteString(name + "_sum{" + labels + "} " + sum + "\n")
	text.WriteString(name + "_count{" + labels + "} " + each[len(each)-1] + "\n")
	return text.String()
}

// TestTallyIsInLines: what is written for a hit that takes up to 10 ms lies in one line of the processor's cache.
func TestTallyIsInLines(t *testing.T) {
	const line = 64
	var all tallies
	one := all.of(kind{}, "shop")
	if at := uintptr(unsafe.Pointer(one)); at%line != 0 || unsafe.Offsetof(one.took)+5*unsafe.Sizeof(one.took[0]) != line {
		t.Errorf("it begins %d octets behind a line's begin", at%line)
	}
}
