package health_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
)

func TestOptionsCheck(t *testing.T) {
	check := func(change func(*health.Options)) []string {
		o := options()
		change(&o)
		var problems []string
		o.Check(func(key, problem string) { problems = append(problems, key) })
		slices.Sort(problems)
		return problems
	}
	for _, c := range []struct {
		change func(*health.Options)
		want   string
	}{
		{func(*health.Options) {}, "[]"},
		{func(o *health.Options) { o.Signals.FillErrors.Warn = 0 }, "[signals.fill_errors]"},
		{func(o *health.Options) { o.Signals.FillErrors.Crit = 1.1 }, "[signals.fill_errors]"},
		{func(o *health.Options) { o.Signals.FillErrors.Warn = .2 }, "[signals.fill_errors.warn]"},
		{func(o *health.Options) { o.Signals.FillErrors.Window = time.Millisecond }, "[signals.fill_errors.window]"},
		{func(o *health.Options) { o.Signals.FillErrors.MinSamples = 0 }, "[signals.fill_errors.min_samples]"},
		{func(o *health.Options) { o.Signals.FillLatency.Warn = 0 }, "[signals.fill_latency.warn]"},
		{func(o *health.Options) { o.Signals.FillLatency.Crit = o.Signals.FillLatency.Warn }, "[signals.fill_latency.warn]"},
		{func(o *health.Options) { o.Signals.FillLatency.Quantile = 1 }, "[signals.fill_latency.quantile]"},
		{func(o *health.Options) { o.Signals.FillLatency.Window = time.Hour }, "[signals.fill_latency.window]"},
		{func(o *health.Options) { o.Signals.OriginProbe.Crit = .1 }, "[signals.origin_probe]"},
		{func(o *health.Options) {
			o.SelfCheck = health.SelfCheckOptions{Interval: time.Hour}
		}, "[self_check.fall self_check.interval self_check.rise self_check.timeout]"},
	} {
		if got := fmt.Sprint(check(c.change)); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
