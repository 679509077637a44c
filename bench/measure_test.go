package main

import (
	"testing"

	"github.com/anyedge/anyedge/bench/load"
	"github.com/anyedge/anyedge/bench/scenarios"
	"github.com/anyedge/anyedge/bench/target"
)

func scenario(t *testing.T, name string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A figure that isn't what it seems is refused.
func TestPlausible(t *testing.T) {
	cache, files := &contestant{Server: &target.Server{}, stores: true, proxies: true}, &contestant{Server: &target.Server{}, files: true}
	for _, c := range []struct {
		name, scenario string
		server         *contestant
		origin         int64
		good           bool
	}{
		{"hits", "hit", cache, 0, true},
		{"hits and a probe", "hit", cache, 3, true},
		{"hits that went to the origin", "hit", cache, 500, false},
		{"files", "hit", files, 0, true},
		{"misses", "miss", cache, 1000, true},
		{"misses that were answered from a cache", "miss", cache, 700, false},
		{"some of them hits", "zipf", cache, 300, true},
	} {
		f := &figures{Origin: c.origin, result: &load.Result{Tally: load.Tally{Requests: 1000}}}
		if err := f.plausible(c.server, row{scenario(t, c.scenario), load.H1}); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestApplies(t *testing.T) {
	h1 := &target.Server{Protocols: []load.Protocol{load.H1}}
	for _, c := range []struct {
		server *contestant
		row    row
		want   string
	}{
		{&contestant{Server: h1, stores: true}, row{scenario(t, "hit"), load.H1}, ""},
		{&contestant{Server: h1, stores: true}, row{scenario(t, "hit"), load.H3}, "no h3"},
		{&contestant{Server: h1, files: true}, row{scenario(t, "miss"), load.H1}, "no origin"},
		{&contestant{Server: h1, files: true}, row{scenario(t, "fill"), load.H1}, "no such files"},
		{&contestant{Server: h1, files: true}, row{scenario(t, "handshake"), load.H1}, ""},
		{&contestant{Server: h1, files: true, proxies: true}, row{scenario(t, "miss"), load.H1}, ""},
	} {
		if got := c.server.applies(c.row); got != c.want {
			t.Errorf("%s of %+v: %q, want %q", c.row.name(), c.server, got, c.want)
		}
	}
}
