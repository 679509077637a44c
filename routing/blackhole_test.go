package routing_test

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// A blackhole adds the VIP's addresses to what is announced, whatever its level, until it expires or is taken back, also
// by another process.
func TestBlackhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		l.begin()
		l.announce()
		if err := l.Blackhole("www", time.Hour, "flood"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		l.wantDropped("198.51.100.10/32")
		l.wantLevel(routing.Announced, routing.Well)
		if e := l.explanation("www"); e.Blackhole == nil || !strings.Contains(e.String(), "blackhole  peers shall drop what is sent to its addresses") ||
			!strings.Contains(e.String(), "flood") {
			t.Errorf("%s", e)
		}
		l.crash()

		l.begin()
		synctest.Wait()
		l.wantDropped("198.51.100.10/32") // although the VIP isn't announced yet
		l.pass(time.Hour)
		l.wantDropped("")
		if got := strings.Join(l.events(health.EventDecision), "\n"); !strings.Contains(got, "the blackhole has expired") {
			t.Error(got)
		}

		if err := errors.Join(l.Blackhole("www", time.Hour, "flood"), l.Unblackhole("")); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		l.wantDropped("")
		if err := l.Blackhole("www", time.Hour, "flood"); err != nil {
			t.Error(err)
		}
		l.goodbye()
		l.wantDropped("")
	})
}

// wantDropped checks which addresses peers shall drop.
func (l *life) wantDropped(want string) {
	l.t.Helper()
	var got []string
	for _, r := range l.speaker.last() {
		if r.Blackhole {
			got = append(got, r.Prefix.String())
		}
	}
	if strings.Join(got, " ") != want {
		l.t.Errorf("dropped: %q, want %q", got, want)
	}
}

func TestBlackholeIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		for _, c := range []struct {
			vip    string
			d      time.Duration
			reason string
			want   string
		}{
			{"", time.Hour, "r", "name the VIP"},
			{"ww", time.Hour, "r", "no VIP"},
			{"www", 0, "r", "must end"},
			{"www", 8 * 24 * time.Hour, "r", "within 168h"},
			{"www", time.Hour, "", "without a reason"},
		} {
			if err := b.Blackhole(c.vip, c.d, c.reason); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		if err := b.Unblackhole("ww"); err == nil {
			t.Error("unblackhole of nothing")
		}
	})
}

// The codes that peers are told are all different, and the guide has each.
func TestReasonCodes(t *testing.T) {
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint32]routing.Reason{}
	for _, r := range routing.Reasons() {
		if other, twice := seen[r.Code()]; twice {
			t.Errorf("%s and %s have the code %d", other, r, r.Code())
		}
		seen[r.Code()] = r
		if cell := "| " + strconv.Itoa(int(r.Code())) + " | " + string(r) + " |"; !strings.Contains(string(guide), cell) {
			t.Errorf("the guide lacks %q", cell)
		}
	}
}
