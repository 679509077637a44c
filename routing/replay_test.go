package routing_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// replays checks that a record which was written and read again gives the same decision.
func replays(t *testing.T, text string, want int) {
	t.Helper()
	records, err := routing.ReadRecords(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != want {
		t.Errorf("%d records, want %d", len(records), want)
	}
	for _, r := range records {
		if again, same := r.Replay(); !same {
			t.Errorf("recorded %s\nreplayed %s", asJSON(t, r.Decision), asJSON(t, again))
		}
	}
}

func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		b.run()
		defer b.stop()
		b.announce()
		b.tracker.Servers("shop", 0, 2, "connection refused")
		b.pass(time.Minute)
		all, err := b.Explain("")
		if err != nil {
			t.Fatal(err)
		}
		www := all[0].History
		replays(t, asJSON(t, append(all, all...)), 2*len(www))
		replays(t, asJSON(t, all[0]), len(www))
		replays(t, asJSON(t, www), len(www))
		replays(t, asJSON(t, www[0]), 1)

		// A record that was changed gives itself away.
		r := www[0]
		r.Decision.To = routing.Announced
		if _, same := r.Replay(); same {
			t.Error("another level passes")
		}
		r = www[0]
		r.Input.Signals = []health.Signal{signal(health.SelfCheck, "www", health.Crit)}
		if again, same := r.Replay(); same || again.To != routing.Withdrawn {
			t.Errorf("other signals give %s", again.To)
		}
	})
}

func TestNothingToReplay(t *testing.T) {
	for text, want := range map[string]string{
		"": "unexpected end", "[]": "there are none", "{}": "there are none", `[{"vip": "www"}]`: "there are none", `[1]`: "cannot unmarshal", "[": "unexpected end",
	} {
		if _, err := routing.ReadRecords(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzReplay: whatever a record has, it is decided or refused.
func FuzzReplay(f *testing.F) {
	f.Add(`{"input": {"vip": "www", "now": "2026-01-01T12:00:00Z", "state": {"level": 3, "steps": [{}], "proven": true}, "fleet": {"nodes": [{}]}}}`)
	f.Add(`[{"history": [{"input": {"vip": "www", "state": {"level": 200, "withheld": ["a"]}, "options": {"shed": ["a"]}}}]}]`)
	f.Add(`{"input": {"vip": "www", "drain": {}, "force": {"level": 9, "until": "2999-01-01T00:00:00Z"}, "state": {"proven": true}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		records, err := routing.ReadRecords(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, r := range records {
			first, _ := r.Replay()
			if again, _ := r.Replay(); again.To != first.To || again.Text != first.Text {
				t.Errorf("decided twice: %q and %q", first.Text, again.Text)
			}
		}
	})
}
