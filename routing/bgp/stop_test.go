package bgp_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
)

// capability counts how often the speaker's OPEN had it.
func capability(s bgptest.Session, code uint8) int {
	n := 0
	for _, c := range s.Capabilities {
		if c == code {
			n++
		}
	}
	return n
}

// A session as the router sees it. The OPEN: hold time as configured, one family, no graceful restart. The goodbye: every
// route withdrawn, then Cease/Administrative Shutdown with the message.
func TestOpenAndStop(t *testing.T) {
	t.Parallel()
	r := startRouter(t, bgptest.Options{})
	o := options(peer("r", r, routerAS))
	s := startSpeaker(t, o, prefix4, other4)
	s.established()
	up(t, r)
	session := r.Session()
	if session.HoldTime != o.HoldTime || session.HoldTime != 9*time.Second {
		t.Errorf("hold time %s, want 9s", session.HoldTime)
	}
	const multiprotocol, gracefulRestart, fourOctetAS, longLived = 1, 64, 65, 71
	for code, want := range map[uint8]int{multiprotocol: 1, fourOctetAS: 1, gracefulRestart: 0, longLived: 0} {
		if got := capability(session, code); got != want {
			t.Errorf("capability %d: %d times, want %d; all: %v", code, got, want, session.Capabilities)
		}
	}
	s.set(routing.Announced, prefix4, other4)
	waitTable(t, r, 2)

	if err := s.Stop(deadline(t), "ams-1 is stopping"); err != nil {
		t.Fatal(err)
	}
	waitRouter(t, r, "the session's end", func() bool { return !r.Session().Up })
	if got, want := r.Session().LastDown, "NOTIFICATION 6/2 ams-1 is stopping"; got != want {
		t.Errorf("the router's last word from us: %q, want %q", got, want)
	}
	updates := r.Updates()
	var gone int
	for _, u := range updates[1:] {
		gone += len(u.Withdrawn)
	}
	if gone != 2 {
		t.Errorf("before the Cease %d prefixes were withdrawn, want 2: %+v", gone, updates)
	}
	if p := s.peer("r"); p.State != "idle" || !strings.Contains(p.LastError, `we sent Cease/Administrative Shutdown: "ams-1 is stopping"`) {
		t.Errorf("after Stop: %+v", p)
	}

	if err := s.Stop(t.Context(), "again"); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
	if err := s.Set(t.Context(), nil); err != nil {
		t.Errorf("Set of nothing after Stop: %v", err)
	}
	if err := s.Set(t.Context(), routes(routing.Announced, prefix4)); err == nil {
		t.Error("Set after Stop should be an error")
	}
	if err := s.Start(t.Context()); err == nil {
		t.Error("Start after Stop should be an error")
	}
}

// Nothing is left running, and no route announced: not by a Stop that has no time left, not by the end of Start's context,
// with a session up and another being dialled.
func TestNothingIsLeftRunning(t *testing.T) { // not parallel: it counts the process's goroutines
	r := startRouter(t, bgptest.Options{})
	nobody := bgp.Peer{Name: "nobody", Address: loopback(2), Port: closedPort(t, loopback(2)), ASN: routerAS}
	before := runtime.NumGoroutine()
	for _, end := range []func(s *speaker, cancel context.CancelFunc) error{
		func(s *speaker, _ context.CancelFunc) error {
			expired, cancel := context.WithCancel(t.Context())
			cancel()
			return s.Stop(expired, "at once")
		},
		func(s *speaker, cancel context.CancelFunc) error {
			cancel()
			waitRouter(t, r, "the session's end", func() bool { return !r.Session().Up })
			return s.Stop(deadline(t), "too late")
		},
	} {
		s := newSpeaker(t, options(peer("r", r, routerAS), nobody), prefix4)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if err := s.Start(ctx); err != nil {
			t.Fatal(err)
		}
		s.set(routing.Announced, prefix4)
		waitTable(t, r, 1)
		begin := time.Now()
		if err := end(s, cancel); err != nil {
			t.Fatal(err)
		}
		waitTable(t, r, 0)
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("took %s", took)
		}
		// GoBGP's watcher and the router's connection end by themselves, a moment later.
		s.await("no goroutine left", func() bool { return runtime.NumGoroutine() <= before })
	}
}

// Without peers everything is taken and nothing happens.
func TestNoPeers(t *testing.T) {
	t.Parallel()
	s := startSpeaker(t, bgp.Options{}, prefix4)
	s.set(routing.Announced, prefix4)
	if p := s.Peers(); p == nil || len(p) != 0 {
		t.Errorf("peers: %#v, want an empty list", p)
	}
	if err := s.Set(t.Context(), routes(routing.Announced, foreign4)); err == nil {
		t.Error("the allow-list should hold without peers too")
	}
	if err := s.Stop(t.Context(), "bye"); err != nil {
		t.Error(err)
	}
}

func TestStopWithoutStart(t *testing.T) {
	t.Parallel()
	if err := newSpeaker(t, bgp.Options{}).Stop(t.Context(), "bye"); err != nil {
		t.Error(err)
	}
}

func TestTruncate(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("x", 128), strings.Repeat("ü", 100), strings.Repeat("\xff", 200)} {
		got := bgp.Truncate(text, 128)
		if len(got) > 128 || !strings.HasPrefix(text, got) || utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("truncate(%q) = %q", text, got)
		}
		if len(text) <= 128 && got != text {
			t.Errorf("truncate(%q) = %q, want it whole", text, got)
		}
	}
	if !slices.Equal([]byte(bgp.Truncate("aü", 2)), []byte("a")) {
		t.Error("a character was cut in two")
	}
}
