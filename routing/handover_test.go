package routing_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/routing"
)

// handOver ends the process that decides, and has another one go on.
func (l *life) handOver() {
	l.t.Helper()
	l.stop()
	b, err := l.HandOver()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.Drain("www", 0, "too late"); err != nil {
		l.t.Fatal(err)
	}
	l.bench = newBench(l.t, www)
	l.prove("www")
	if err := l.TakeOver(b, l.file); err != nil {
		l.t.Fatal(err)
	}
	l.run()
}

// An upgrade is no restart: the level, its dwell and the damping go on, and nothing is counted as a start.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.begin()
		l.announce()
		damping := l.explanation("www").Damping
		for range 5 { // so many starts would be a crash loop
			l.handOver()
			l.wantLevel(routing.Announced, routing.Well)
			if e := l.explanation("www"); e.Damping > damping {
				t.Errorf("an upgrade costs: %g, was %g", e.Damping, damping)
			}
			l.wantRoutes("198.51.100.0/24 www 0, 2001:db8:100::/48 www 0")
		}
		if err := l.Force("www", routing.Depreferred, time.Hour, "power"); err != nil {
			t.Fatal(err)
		}
		l.handOver()
		l.wantLevel(routing.Depreferred, routing.Forced)
		if err := l.Unforce(""); err != nil {
			t.Fatal(err)
		}
		l.fail("www", errors.New("connection refused"))
		l.wantRoutes("")
		l.goodbye()
		if b, err := os.ReadFile(l.file); err != nil || strings.Contains(string(b), `"running": true`) {
			t.Errorf("after the goodbye: %s, %v", b, err)
		}
	})
}

// A warm-up goes on where it was.
func TestHandOverWhileWarmingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.begin()
		l.prove("www")
		l.wantLevel(routing.Depreferred, routing.WarmingUp)
		since := l.explanation("www").Since
		l.pass(time.Second)
		l.handOver()
		defer l.stop()
		l.wantLevel(routing.Depreferred, routing.WarmingUp)
		if e := l.explanation("www"); !e.Since.Equal(since) {
			t.Errorf("since %s, was %s", e.Since, since)
		}
	})
}

func TestTakeOverRefuses(t *testing.T) {
	b := newBench(t, www)
	for _, text := range []string{"", "{}", `{"version": 99}`} {
		if err := b.TakeOver([]byte(text), ""); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
