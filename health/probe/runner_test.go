package probe_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/health/probe"
)

// report is one call of Report.
type report struct {
	vip  string
	name health.SignalName
	err  error
}

// run runs a Runner until the test ends; what it reports comes over the channel.
func run(t *testing.T, interval, timeout time.Duration) (*probe.Runner, <-chan report) {
	t.Helper()
	reports := make(chan report, 1024)
	r := probe.NewRunner(func(vip string, name health.SignalName, err error) { reports <- report{vip, name, err} }, interval, timeout)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
	})
	return r, reports
}

func next(t *testing.T, reports <-chan report) report {
	t.Helper()
	select {
	case r := <-reports:
		return r
	case <-time.After(patience):
		t.Fatal("nothing is reported")
		return report{}
	}
}

func TestRunnerReportsBothSignalsAtOnce(t *testing.T) {
	s := edge(t, selfSigned(t, "shop.example.com"), answer("ams-1"))
	r, reports := run(t, time.Hour, patience) // the first round does not wait for the interval
	r.Set([]probe.Self{s}, nil)
	seen := map[health.SignalName]error{}
	for range 2 {
		got := next(t, reports)
		if got.vip != "www" {
			t.Errorf("reported %+v", got)
		}
		seen[got.name] = got.err
	}
	for _, name := range []health.SignalName{health.SelfCheck, health.SelfQUIC} {
		if err, ok := seen[name]; !ok || err != nil {
			t.Errorf("%s: %t, %v", name, ok, err)
		}
	}
}

func TestRunnerGoesOn(t *testing.T) {
	s := edge(t, selfSigned(t, "shop.example.com"), answer("ams-1"))
	r, reports := run(t, 5*time.Millisecond, patience)
	s.QUIC = netip.AddrPort{}
	r.Set([]probe.Self{s}, nil)
	for range 5 {
		if got := next(t, reports); got.err != nil || got.name != health.SelfCheck {
			t.Errorf("reported %+v", got)
		}
	}
}

// A VIP with one address that answers and one that doesn't fails each time, not every other.
func TestRunnerReportsOncePerVIP(t *testing.T) {
	good := edge(t, selfSigned(t, "shop.example.com"), answer("ams-1"))
	good.QUIC = netip.AddrPort{}
	bad := good
	bad.HTTP = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), freePort(t))
	other := good
	other.VIP = "other"
	r, reports := run(t, 5*time.Millisecond, patience)
	r.Set([]probe.Self{good, bad, other}, nil)
	counts := map[string]int{}
	for range 10 {
		got := next(t, reports)
		counts[got.vip]++
		if got.vip == "other" && got.err != nil {
			t.Errorf("other: %v", got.err)
		}
		if got.vip == "www" && (got.err == nil || !strings.Contains(got.err.Error(), bad.HTTP.String()) || strings.Contains(got.err.Error(), "\n")) {
			t.Errorf("www: %v", got.err)
		}
	}
	if counts["www"] == 0 || counts["other"] == 0 {
		t.Errorf("reports: %v", counts)
	}
}

func TestSetReplacesWhatIsChecked(t *testing.T) {
	s := edge(t, selfSigned(t, "shop.example.com"), answer("ams-1"))
	s.QUIC = netip.AddrPort{}
	r, reports := run(t, time.Hour, patience)
	for _, vip := range []string{"a", "b", "c"} {
		s.VIP = vip
		r.Set([]probe.Self{s}, nil)
		if got := next(t, reports); got.vip != vip || got.err != nil {
			t.Errorf("reported %+v, want %s", got, vip)
		}
	}
	r.Configure(5*time.Millisecond, patience)
	for range 3 {
		next(t, reports)
	}
}

// What is no longer to be checked must not be reported as failed because its round was dropped.
func TestDroppedRoundsAreNotReported(t *testing.T) {
	began, end := make(chan struct{}), make(chan struct{})
	var once sync.Once
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(began) })
		select {
		case <-r.Context().Done():
		case <-end:
		}
	})
	defer close(end)
	s := edge(t, selfSigned(t, "shop.example.com"), h)
	r, reports := run(t, time.Hour, patience)
	r.Set([]probe.Self{s}, nil)
	select {
	case <-began:
	case <-time.After(patience):
		t.Fatal("no check began")
	}
	other := edge(t, selfSigned(t, "shop.example.com"), answer("ams-1"))
	other.VIP, other.QUIC = "other", netip.AddrPort{}
	r.Set([]probe.Self{other}, nil)
	if got := next(t, reports); got.vip != "other" || got.err != nil {
		t.Errorf("reported %+v", got)
	}
	if len(reports) > 0 {
		t.Errorf("reported %+v", <-reports)
	}
}

func TestTimeoutIsAFailure(t *testing.T) {
	s := edge(t, selfSigned(t, "shop.example.com"), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	r, reports := run(t, time.Hour, 50*time.Millisecond)
	r.Set([]probe.Self{s}, nil)
	for range 2 {
		if got := next(t, reports); got.err == nil || !strings.Contains(got.err.Error(), "no answer in time") {
			t.Errorf("reported %+v", got)
		}
	}
}
