package routing_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// life is one process after the other with the same state file.
type life struct {
	*bench
	t    *testing.T
	file string
}

func newLife(t *testing.T) *life { return &life{t: t, file: filepath.Join(t.TempDir(), "state.json")} }

// begin starts a process.
func (l *life) begin() {
	l.t.Helper()
	m, err := routing.OpenMemory(l.file, time.Now())
	if err != nil {
		l.t.Fatal(err)
	}
	l.bench = newBench(l.t, www)
	l.Remember(m)
	l.run()
}

// crash ends it without a word; what it had put to be written was.
func (l *life) crash() { l.stop() }

func (l *life) goodbye() {
	l.t.Helper()
	if err := l.Withdraw(l.t.Context(), "the node is stopping"); err != nil {
		l.t.Error(err)
	}
	l.stop()
}

func (l *life) wantLevel(level routing.Level, reason routing.Reason) {
	l.t.Helper()
	if e := l.explanation("www"); e.Level != level || e.Reason != reason {
		l.t.Errorf("want %s for %s:\n%s", level, reason, e)
	}
}

func TestRestartKeepsTheDamping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.begin()
		l.announce()
		l.fail("www", errors.New("connection refused"))
		l.prove("www")
		l.wantLevel(routing.Depreferred, routing.Rising)
		l.fail("www", errors.New("connection refused"))
		damping := l.explanation("www").Damping
		l.crash()

		l.begin()
		defer l.stop()
		l.prove("www")
		l.wantLevel(routing.Withdrawn, routing.Damped)
		if got := l.explanation("www").Damping; got < 2900 || got > damping {
			t.Errorf("penalty %g, was %g", got, damping)
		}
		if err := l.Undamp("ww"); err == nil {
			t.Error("undamp of nothing")
		}
		if err := l.Undamp("www"); err != nil {
			t.Fatal(err)
		}
		l.wantLevel(routing.Depreferred, routing.WarmingUp)
	})
}

// TestCrashCosts: routers count the withdrawal that the end of a process is.
func TestCrashCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.begin()
		l.announce()
		l.crash()
		time.Sleep(time.Hour)
		l.begin()
		defer l.stop()
		if got := l.explanation("www").Damping; got != 1000 {
			t.Errorf("penalty %g", got)
		}
	})
}

// TestRestartInOrder: who stops a node in order starts it again, and neither the damper nor the quarantine is in the way.
func TestRestartInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		for range 5 {
			l.begin()
			l.announce()
			l.goodbye()
		}
	})
}

func TestCrashLoopIsQuarantined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		for range 2 {
			l.begin()
			l.crash()
			time.Sleep(time.Minute)
		}
		l.begin()
		defer l.stop()
		l.prove("www")
		l.pass(5*time.Minute - 1)
		l.wantLevel(routing.Withdrawn, routing.Quarantined)
		l.wantRoutes("")
		l.pass(1)
		l.wantRoutes("198.51.100.0/24 www 2, 2001:db8:100::/48 www 2")
	})
}

// TestSlowCrashesAreNoLoop: three in ten minutes are, three in an hour aren't.
func TestSlowCrashesAreNoLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		for range 6 {
			l.begin()
			l.prove("www")
			if e := l.explanation("www"); e.Reason == routing.Quarantined {
				t.Errorf("%s", e)
			}
			time.Sleep(6 * time.Minute)
			l.crash()
		}
	})
}

func TestUnreadableStateIsDoubted(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "cut": `{"version": 1, "vips": {"www": {"lev`, "another version": `{"version": 2}`, "no JSON": "\x00\x00\x00",
		"a level": `{"version": 1, "vips": {"www": {"level": 9}}}`, "a penalty": `{"version": 1, "vips": {"www": {"damper": {"penalty": 1e99}}}}`,
		"less than none": `{"version": 1, "vips": {"www": {"damper": {"penalty": -1}}}}`,
		"a force":        `{"version": 1, "forces": {"www": null}}`, "more": `{"version": 1} {}`,
		"a force for ever": `{"version": 1, "forces": {"www": {"level": 0, "until": "2999-01-01T00:00:00Z"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				if err := os.WriteFile(l.file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				l.begin()
				l.prove("www")
				l.wantLevel(routing.Withdrawn, routing.Quarantined)
				if e := l.explanation("www"); !strings.Contains(e.Text, l.file) || e.Damping != 1200 {
					t.Errorf("%s", e)
				}
				l.pass(5 * time.Minute)
				l.wantLevel(routing.Depreferred, routing.WarmingUp)
				l.goodbye()

				l.begin() // what it wrote is fine
				defer l.stop()
				l.prove("www")
				l.wantLevel(routing.Depreferred, routing.WarmingUp)
			})
		})
	}
}

// TestClockSetBack: times to come neither stop the decay nor hold for ever.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		text := fmt.Sprintf(`{"version": 1, "vips": {"www": {"level": 4, "damper": {"penalty": 2000, "at": %q}}}}`, time.Now().Add(100*24*time.Hour).Format(time.RFC3339))
		if err := os.WriteFile(l.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l.begin()
		defer l.stop()
		l.pass(15 * time.Minute)
		if got := l.explanation("www").Damping; got != 1000 {
			t.Errorf("penalty %g", got)
		}
	})
}

func TestStateThatCannotBeWritten(t *testing.T) {
	if _, err := routing.OpenMemory(filepath.Join(t.TempDir(), "none", "state.json"), time.Now()); err == nil || !strings.Contains(err.Error(), "routing.state_file") {
		t.Errorf("%v", err)
	}
}

// A disk that fails later is told once, and nothing else suffers.
func TestStateLostLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.file = filepath.Join(t.TempDir(), "gone", "state.json")
		if err := os.Mkdir(filepath.Dir(l.file), 0o700); err != nil {
			t.Fatal(err)
		}
		m, err := routing.OpenMemory(l.file, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Dir(l.file)); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		l.bench = newBench(t, www)
		l.Controller = routing.NewController(options(), []routing.VIP{www}, l.tracker, l.speaker, l.journal, slog.New(slog.NewTextHandler(&log, nil)))
		l.Remember(m)
		l.run()
		l.announce()
		l.goodbye()
		if n := strings.Count(log.String(), "a restart would forget the damping"); n != 1 {
			t.Errorf("told %d times:\n%s", n, log.String())
		}
	})
}

func TestForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.begin()
		l.announce()
		if err := l.Force("www", routing.Withdrawn, time.Hour, "power"); err != nil {
			t.Fatal(err)
		}
		l.wantLevel(routing.Withdrawn, routing.Forced)
		if e := l.explanation("www"); e.Force == nil || !strings.Contains(e.String(), "to withdrawn from") || !strings.Contains(e.Text, "power") {
			t.Errorf("%s", e)
		}
		l.pass(time.Minute)
		l.wantRoutes("")
		l.crash()

		// It outlives the process, since it ends anyway.
		l.begin()
		l.prove("www")
		l.wantLevel(routing.Withdrawn, routing.Forced)
		l.pass(59 * time.Minute)
		l.wantLevel(routing.Depreferred, routing.WarmingUp)
		if got := strings.Join(l.events(health.EventDecision), "\n"); !strings.Contains(got, "the force has expired") {
			t.Error(got)
		}

		if err := errors.Join(l.Force("www", routing.Announced, time.Hour, "now"), l.Unforce("www")); err != nil {
			t.Error(err)
		}
		l.wantLevel(routing.Announced, routing.Well)
		l.goodbye()
	})
}

// A drain for a time ends at its time in whatever process that is, and not before.
func TestDrainForATimeOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.begin()
		l.announce()
		if err := l.Drain("www", time.Hour, "new fans"); err != nil {
			t.Fatal(err)
		}
		l.pass(30 * time.Minute)
		l.goodbye()

		l.begin()
		l.prove("www")
		l.pass(29 * time.Minute)
		l.wantLevel(routing.Withdrawn, routing.Drained)
		l.pass(2 * time.Minute)
		l.wantLevel(routing.Announced, routing.Well)
		if err := l.Drain("", time.Minute, "new fans"); err != nil {
			t.Fatal(err)
		}
		l.goodbye()
		time.Sleep(time.Hour)

		l.begin()
		l.announce()
		l.wantLevel(routing.Announced, routing.Well)
		l.goodbye()
	})
}

// A drain ends when the operator says so, not with the process. That of a process that stops is over with it.
func TestDrainOutlivesTheProcess(t *testing.T) {
	for _, vip := range []string{"www", ""} {
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t)
			l.begin()
			l.announce()
			if err := l.Drain(vip, 0, "replace the switch"); err != nil {
				t.Fatal(err)
			}
			l.pass(time.Minute)
			l.crash()

			l.begin()
			l.prove("www")
			l.pass(time.Minute)
			l.wantLevel(routing.Withdrawn, routing.Drained)
			if e := l.explanation("www"); !strings.Contains(e.Text, "replace the switch") {
				t.Errorf("%s", e)
			}
			l.goodbye()

			l.begin()
			l.prove("www")
			l.wantLevel(routing.Withdrawn, routing.Drained)
			if err := l.Undrain(vip); err != nil {
				t.Fatal(err)
			}
			l.announce()
			l.Leave("the node is stopping")
			l.pass(time.Minute)
			l.wantLevel(routing.Withdrawn, routing.Drained)
			l.goodbye()

			l.begin()
			l.announce()
			l.goodbye()
		})
	}
}

func TestForceIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		for _, c := range []struct {
			vip    string
			level  routing.Level
			d      time.Duration
			reason string
			want   string
		}{
			{"", 0, time.Hour, "r", "name the VIP"},
			{"ww", 0, time.Hour, "r", "no VIP"},
			{"www", 5, time.Hour, "r", "0 to 4"},
			{"www", 3, time.Hour, "r", "for all peers alike"},
			{"www", 0, 0, "r", "must end"},
			{"www", 0, 8 * 24 * time.Hour, "r", "within 168h"},
			{"www", 0, time.Hour, " ", "without a reason"},
		} {
			if err := b.Force(c.vip, c.level, c.d, c.reason); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		if err := b.Unforce("ww"); err == nil {
			t.Error("unforce of nothing")
		}
	})
}

// FuzzMemory: whatever the file has, a process starts, and not with more freedom than one that has none.
func FuzzMemory(f *testing.F) {
	f.Add([]byte(`{"version":1,"running":true,"starts":["2026-01-01T12:00:00Z"],"vips":{"www":{"level":0,"damper":{"penalty":3000,"at":"2026-01-01T12:00:00Z"}}}}`))
	f.Add([]byte(`{"version":1,"forces":{"www":{"level":4,"until":"2026-01-01T13:00:00Z","reason":"r"}}}`))
	f.Add([]byte(`{"version":1,"drains":{"":{"since":"2026-01-01T12:00:00Z"},"www":null}}`))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := newLife(t)
		if err := os.WriteFile(l.file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := routing.OpenMemory(l.file, noon)
		if err != nil {
			t.Fatal(err)
		}
		l.bench = newBench(t, www)
		l.Remember(m)
		if e := l.explanation("www"); e.Level != routing.Withdrawn || e.Damping < 0 || e.Damping > 4000 {
			t.Errorf("%s", e)
		}
	})
}
