package routing_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// steps are how far somebody may set a clock.
var steps = []time.Duration{-30 * 24 * time.Hour, -2 * time.Second, 0, 5 * time.Hour, 30 * 24 * time.Hour}

// wallClock is one that somebody sets.
type wallClock struct{ off atomic.Int64 }

func (w *wallClock) now() time.Time { return time.Now().Add(time.Duration(w.off.Load())).Round(0) }

func (w *wallClock) set(d time.Duration) { w.off.Store(int64(d)) }

// stepped is a process whose wall clock was set by d while it ran, and that has seen that.
func stepped(l *life, d time.Duration) *wallClock {
	l.t.Helper()
	w := &wallClock{}
	m, err := routing.OpenMemory(l.file, time.Now())
	if err != nil {
		l.t.Fatal(err)
	}
	l.bench = newBench(l.t, www)
	l.SetWall(w.now)
	l.Remember(m)
	l.run()
	l.announce()
	w.set(d)
	l.pass(time.Second)
	return w
}

// However the wall clock is set, what runs goes on as by the time that passes: a dwell, a drain and a force with an end, the
// damping. It is told.
func TestClockIsSetWhileItRuns(t *testing.T) {
	for _, d := range steps {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				stepped(l, d)
				defer func() { l.stop() }()
				l.wantLevel(routing.Announced, routing.Well)
				l.fail("www", errors.New("connection refused"))
				if got := l.explanation("www").Damping; got != 1000 {
					t.Errorf("penalty %g", got)
				}
				l.pass(15 * time.Minute)
				if got := l.explanation("www").Damping; got != 500 {
					t.Errorf("after a half-life the penalty is %g", got)
				}
				l.prove("www")
				l.wantLevel(routing.Depreferred, routing.Rising)
				l.pass(options().Rise - time.Second)
				l.wantLevel(routing.Depreferred, routing.Rising)
				l.pass(options().Rise + 2*time.Second)
				l.wantLevel(routing.Announced, routing.Well)

				if err := l.Force("www", routing.Depreferred, time.Hour, "a try"); err != nil {
					t.Fatal(err)
				}
				l.pass(59 * time.Minute)
				l.wantLevel(routing.Depreferred, routing.Forced)
				l.pass(2*time.Minute + 2*options().Rise)
				l.wantLevel(routing.Announced, routing.Well)
				if err := l.Drain("www", time.Hour, "work"); err != nil {
					t.Fatal(err)
				}
				l.pass(59 * time.Minute)
				l.wantLevel(routing.Withdrawn, routing.Drained)
				l.pass(2*time.Minute + 3*options().Rise)
				l.wantLevel(routing.Announced, routing.Well)
				l.wantStep(d)
			})
		})
	}
}

// wantStep checks that a step is told, once, and that explain says it.
func (l *life) wantStep(d time.Duration) {
	l.t.Helper()
	told := 0
	for _, text := range l.events(health.EventNode) {
		if strings.HasPrefix(text, "clock: the wall clock has been set") {
			told++
		}
	}
	e := l.explanation("www")
	said := strings.Contains(e.String(), "times here are by the clock as it was")
	if want := d != 0; (told == 1) != want || said != want || e.ClockStep != d {
		l.t.Errorf("set by %s: %d events, said %t, %s", d, told, said, e.ClockStep)
	}
}

// What a process leaves is by the wall clock that the next one finds, so that a step loses no penalty and ends no word of an
// operator before its time, nor keeps it for longer.
func TestClockIsSetThenRestarted(t *testing.T) {
	for _, d := range steps {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t)
				w := stepped(l, 0)
				l.fail("www", errors.New("connection refused"))
				if err := l.Force("www", routing.Withdrawn, time.Hour, "a try"); err != nil {
					t.Fatal(err)
				}
				w.set(d)
				l.pass(15 * time.Minute)
				l.crash()

				m, err := routing.OpenMemory(l.file, w.now())
				if err != nil {
					t.Fatal(err)
				}
				l.bench = newBench(t, www)
				l.SetStart(w.now())
				l.Remember(m)
				l.run()
				defer l.stop()
				l.prove("www")
				l.wantLevel(routing.Withdrawn, routing.Forced)
				if got := l.explanation("www").Damping; got < 499 || got > 501 {
					t.Errorf("penalty %g", got)
				}
				l.pass(44 * time.Minute)
				l.wantLevel(routing.Withdrawn, routing.Forced)
				l.pass(2 * time.Minute)
				if e := l.explanation("www"); e.Reason == routing.Forced {
					t.Errorf("%s", e)
				}
			})
		})
	}
}

// A machine that starts with its clock in the past, since it has no battery say, doubts nothing that its file has: a drain
// holds, a force has as long to go as it had, and starts that were close together still are.
func TestClockIsSetBackBetweenProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		for range 2 {
			l.begin()
			l.crash()
			time.Sleep(time.Minute)
		}
		l.begin()
		if err := l.Drain("www", 0, "work"); err != nil {
			t.Fatal(err)
		}
		if err := l.Force("www", routing.Withdrawn, time.Hour, "a try"); err != nil {
			t.Fatal(err)
		}
		l.pass(time.Second)
		l.crash()
		past := time.Now().Add(-10 * 365 * 24 * time.Hour).Round(0)
		m, err := routing.OpenMemory(l.file, past)
		if err != nil {
			t.Fatal(err)
		}
		l.bench = newBench(t, www)
		l.SetStart(past)
		l.Remember(m)
		l.run()
		defer l.stop()
		e := l.explanation("www")
		if e.Drain == nil || e.Force == nil || e.Force.Until.Sub(e.Now).Round(time.Minute) != time.Hour {
			t.Errorf("drain %+v, force %+v at %s", e.Drain, e.Force, e.Now)
		}
		if err := l.Unforce(""); err != nil {
			t.Fatal(err)
		}
		if err := l.Undrain(""); err != nil {
			t.Fatal(err)
		}
		l.prove("www")
		l.wantLevel(routing.Withdrawn, routing.Quarantined)
		if text := l.explanation("www").Text; !strings.Contains(text, "process 4 within 2m") {
			t.Errorf("%s", text)
		}
	})
}

// A file of the future is no reason to wait longer than one of now.
func TestFileOfTheFuture(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	text := `{"version": 1, "saved": "9999-01-01T00:00:00Z", "vips": {"www": {"level": 4, "damper": {"penalty": 2000, "at": "9999-01-01T00:00:00Z"}}},
		"drains": {"www": {"since": "9999-01-01T00:00:00Z"}}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := routing.OpenMemory(file, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l := &life{t: t, bench: newBench(t, www)}
	l.Remember(m)
	e := l.explanation("www")
	if e.Drain == nil || e.Damping < 1990 || e.Damping > 2000 || e.Reason == routing.Quarantined {
		t.Errorf("%s", e)
	}
}

// The times of a record have no monotonic reading: JSON would lose it, and a replay would compare wall clocks.
func TestRecordsKeepTheirTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		b.run()
		defer b.stop()
		b.announce()
		b.fail("www", errors.New("connection refused"))
		for _, r := range b.explanation("www").History {
			if bare := r.Input.Now.Round(0); !reflect.DeepEqual(r.Input.Now, bare) {
				t.Errorf("%v has a monotonic reading", r.Input.Now)
			}
			for _, s := range r.Input.Signals {
				if bare := s.Since.Round(0); !reflect.DeepEqual(s.Since, bare) {
					t.Errorf("%s since %v has a monotonic reading", s.Name, s.Since)
				}
			}
		}
	})
}
