package main

import (
	"strings"
	"testing"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/routing/rescue"
)

// What a host lacks is said under the key that asks for it, and only where it is asked for.
func TestRescueWarnings(t *testing.T) {
	cfg := &configs.Config{}
	if list := rescueWarnings(cfg); len(list) > 0 {
		t.Errorf("not asked for: %q", list)
	}
	cfg.Fleet.TCPRescue = true
	list, missing := rescueWarnings(cfg), rescue.Missing()
	if (len(list) == 1) != (missing != nil) {
		t.Errorf("%q; this host lacks: %v", list, missing)
	}
	for _, w := range list {
		if !strings.HasPrefix(w, "fleet.tcp_rescue ") || strings.Contains(w, "\n") {
			t.Errorf("%q", w)
		}
	}
}

func TestRescueRows(t *testing.T) {
	f := func(s *RescueStatus, want ...string) {
		t.Helper()
		got := strings.Join(s.rows(), "\n")
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%q lacks %q", got, w)
			}
		}
	}
	if rows := (*RescueStatus)(nil).rows(); rows != nil {
		t.Errorf("none: %q", rows)
	}
	f(&RescueStatus{State: "off", Problem: "no TUN devices"}, "off", "no TUN devices")
	f(&RescueStatus{State: "on", Interfaces: 1, Missed: 7, Segments: map[string]uint64{"marked": 6, "odd": 1}, Injected: 9},
		"on", "1 interface\t", "without a socket here 7: marked 6, odd 1", "injected 9")
}
