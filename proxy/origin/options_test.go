package origin_test

import (
	"slices"
	"testing"

	"github.com/anyedge/anyedge/proxy/origin"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*origin.Options)
		want   []string
	}{
		{"defaults", func(*origin.Options) {}, nil},
		{"no servers", func(o *origin.Options) { o.Servers = nil }, []string{"servers"}},
		{"a path", func(o *origin.Options) { o.Servers = []string{"http://192.0.2.80/shop"} }, []string{"servers[0]"}},
		{"a scheme", func(o *origin.Options) { o.Servers = []string{"ftp://192.0.2.80"} }, []string{"servers[0]"}},
		{"twice", func(o *origin.Options) { o.Servers = append(o.Servers, o.Servers[0]) }, []string{"servers[1]"}},
		{"probe path", func(o *origin.Options) { o.Probe.Path = "healthz" }, []string{"probe.path"}},
		{
			"all at once", func(o *origin.Options) { o.IdleTimeout, o.Probe.Fall, o.Retry.Max, o.Ejection.Panic = 0, 0, -1, 2 },
			[]string{"ejection.panic", "idle_timeout", "probe.fall", "retry.max"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var o origin.Options
			o.SetDefaults()
			o.Servers = []string{"https://192.0.2.80:8443"}
			c.change(&o)
			var got []string
			o.Check(func(key, _ string) { got = append(got, key) })
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("reported %v, want %v", got, c.want)
			}
		})
	}
}
