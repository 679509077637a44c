package origin_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/proxy/origin"
)

// scrape returns each metric by its name and result label: a number, or a histogram's count.
func scrape(t *testing.T, reg prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() == "result" {
					key += "/" + l.GetValue()
				}
			}
			found[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return found
}

func TestMetrics(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	b := open(t, func(o *origin.Options) { o.Ejection.Failures = 1 }, s.URL)
	var pools []*origin.Pool
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(origin.NewCollector(func() []*origin.Pool { return pools }))
	if got := scrape(t, reg); len(got) != 0 {
		t.Errorf("without pools: %v", got)
	}
	pools = append(pools, b.Pool)
	for range 3 {
		b.must(t, get(t))
	}
	b.must(t, request(t, http.MethodPost, nil))
	s.Close()
	_, _, err := b.fetch(get(t))
	wantError(t, err, origin.ConnectionRefused, 502)

	got := scrape(t, reg)
	for name, want := range map[string]float64{
		"server_requests_total/2xx":                3,
		"server_requests_total/5xx":                1,
		"server_requests_total/connection_refused": 3,
		"server_usable":                            0,
		"server_requests_in_flight":                0,
		"server_connect_seconds":                   2, // a request with content has connections of its own
		"server_first_byte_seconds":                4,
		"requests_waiting":                         0,
		"retries_total":                            2,
		"ejections_total":                          1,
		"refused_total":                            0,
	} {
		if v, ok := got["anyedge_origin_"+name]; !ok || v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
	if len(got) != 11 {
		t.Errorf("metrics that nobody expects: %s", fmt.Sprint(got))
	}
}
