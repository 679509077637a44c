package routing_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing"
)

func TestOptionsCheck(t *testing.T) {
	for _, c := range []struct {
		change func(*routing.Options)
		want   string
	}{
		{func(*routing.Options) {}, "[]"},
		{func(o *routing.Options) { *o = routing.Options{} }, "[min_nodes on_last]"},
		{func(o *routing.Options) { o.LoadFall, o.LoadRise = -1, 2*time.Hour }, "[load_fall load_rise]"},
		{func(o *routing.Options) { o.OnLast, o.MinNodes = "leave", -1 }, "[min_nodes on_last]"},
		{func(o *routing.Options) { o.Shed = []string{"peering", "transit", "peering"} }, "[shed[2]]"},
		{func(o *routing.Options) { o.Rise = -1 }, "[rise]"},
		{func(o *routing.Options) { o.PathFall, o.WarmUp = 2*time.Hour, -time.Second }, "[path_fall warm_up]"},
		{func(o *routing.Options) { o.DrainLead = time.Hour + 1 }, "[drain_lead]"},
	} {
		o := options()
		c.change(&o)
		var keys []string
		o.Check(func(key, _ string) { keys = append(keys, key) })
		slices.Sort(keys)
		if got := fmt.Sprint(keys); got != c.want {
			t.Errorf("%+v: %s, want %s", o, got, c.want)
		}
	}
	if got := routing.Level(9).String(); got != "level(9)" {
		t.Error(got)
	}
}
