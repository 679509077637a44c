package fleet_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/routing/fleet"
)

// purge purges what at m, and returns what came of it: NODE STATE, sorted as reported.
func (m *member) purge(what string) string {
	m.t.Helper()
	list, err := m.Purge(m.t.Context(), json.RawMessage(`"`+what+`"`))
	if err != nil {
		m.t.Fatal(err)
	}
	var texts []string
	for _, p := range list {
		texts = append(texts, p.Node+" "+p.State)
	}
	return strings.Join(texts, ", ")
}

func TestPurgeReachesEveryNode(t *testing.T) {
	t.Parallel()
	a := startMember(t, "ams-1", "ams")
	b := startMember(t, "fra-1", "fra", a)
	c := startMember(t, "sin-1", "sin", a)
	together(t, a, b, c)
	if got := a.purge("one"); got != "ams-1 purged, fra-1 purged, sin-1 purged" {
		t.Error(got)
	}
	if got := b.purge("two"); got != "fra-1 purged, ams-1 purged, sin-1 purged" {
		t.Error(got)
	}
	for _, m := range []*member{a, b, c} {
		if got := m.cache.list(); got != "one two" {
			t.Errorf("%s has purged %s", m.name, got)
		}
	}
	// What makes no sense goes nowhere; what one node can't do is told.
	a.cache.refuse = "no such site"
	if _, err := a.Purge(t.Context(), json.RawMessage(`"x"`)); err == nil || err.Error() != "no such site" {
		t.Errorf("%v", err)
	}
	if got := c.purge("three"); got != "sin-1 purged, ams-1 failed, fra-1 purged" {
		t.Error(got)
	}
	a.cache.mu.Lock()
	a.cache.refuse = ""
	a.cache.mu.Unlock()
	until(t, "it is tried again", func() bool { return a.cache.has("one", "two", "three") })
	until(t, "nobody misses anything", func() bool {
		for _, s := range b.Status().Members {
			if s.PurgesMissing > 0 {
				return false
			}
		}
		return true
	})
}

// TestPurgeReachesWhoWasAway, by whoever is there, and a restart of anybody forgets nothing.
func TestPurgeReachesWhoWasAway(t *testing.T) {
	t.Parallel()
	a := startMember(t, "ams-1", "ams")
	b := startMember(t, "fra-1", "fra", a)
	c := startMember(t, "sin-1", "sin", a)
	together(t, a, b, c)
	a.purge("one")
	c.end()
	until(t, "c has left", func() bool { return a.alive() == 1 && b.alive() == 1 })
	if got := a.purge("two"); got != "ams-1 purged, fra-1 purged" {
		t.Error(got)
	}
	b.purge("three")
	a.end() // who began it isn't there any more
	until(t, "a has left", func() bool { return b.alive() == 0 })
	b.end()
	b.start("fra")
	clears := c.cache.clears()
	c.options.Join = []string{b.Address().String()}
	c.start("sin")
	until(t, "c catches up", func() bool { return c.cache.has("one", "two", "three") })
	if now := c.cache.clears(); now != clears {
		t.Errorf("it was cleared: %s", now)
	}
	if strings.Count(strings.Join(c.cache.purged, " "), "one") != 1 {
		t.Errorf("what it had done was done again: %s", c.cache.purged)
	}
}

// TestAwayForTooLong: where not everything that was missed can be had, everything that is stored goes.
func TestAwayForTooLong(t *testing.T) {
	t.Parallel()
	a := startMember(t, "ams-1", "ams")
	b := startMember(t, "fra-1", "fra", a)
	together(t, a, b)
	a.purge("one")
	b.end()
	until(t, "b has left", func() bool { return a.alive() == 0 })
	large := strings.Repeat("x", 3<<20)
	for i := range 6 { // the log holds 16 MiB
		a.purge(fmt.Sprint(i, large))
	}
	if got := b.cache.clears(); strings.Contains(got, "no longer has") {
		t.Fatalf("cleared before its time: %s", got)
	}
	b.options.Join = []string{a.Address().String()}
	b.start("fra")
	until(t, "b clears", func() bool {
		return strings.Contains(b.cache.clears(), "ams-1 no longer has all purges of ams-1 that were missed here")
	})
	until(t, "b has what is left", func() bool { return strings.Contains(b.cache.list(), "5xxx") })
	until(t, "b misses nothing", func() bool {
		m := a.Status().Members
		return len(m) == 1 && m[0].PurgesMissing == 0
	})
}

// TestWithoutMemory: a node that can't know what it missed begins with nothing, and one that can keeps what it has.
func TestWithoutMemory(t *testing.T) {
	t.Parallel()
	a := startMember(t, "ams-1", "ams")
	until(t, "cleared at the first start", func() bool { return strings.Contains(a.cache.clears(), "isn't known") })
	a.end()
	a.start("ams")
	until(t, "its numbers", func() bool { _, err := a.ServerID(); return err == nil })
	if n := strings.Count(a.cache.clears(), "isn't known"); n != 1 {
		t.Errorf("cleared %d times", n)
	}
	a.end()
	if err := os.WriteFile(a.options.StateFile, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.start("ams")
	until(t, "cleared without a memory", func() bool { return strings.Count(a.cache.clears(), "isn't known") == 2 })
	if _, err := os.Stat(a.options.StateFile + ".unread"); err != nil {
		t.Error(err)
	}
	a.end()
	a.options.StateFile = t.TempDir() + "/none/fleet.state"
	if _, err := fleet.Open(fleet.Config{Name: "x", Options: a.options}); err == nil || !strings.Contains(err.Error(), "fleet.state_file: ") {
		t.Errorf("%v", err)
	}
}
