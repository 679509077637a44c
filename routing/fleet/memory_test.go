package fleet

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var then = time.Unix(1700000000, 0)

func nth(id Stream, n uint64, at time.Time) Purge {
	return Purge{Stream: id, Number: n, At: at, Request: json.RawMessage(fmt.Sprint(n))}
}

func numbers(list []Purge) string {
	var texts []string
	for _, p := range list {
		texts = append(texts, fmt.Sprint(p.Number))
	}
	return strings.Join(texts, " ")
}

func TestLogKeepsOrder(t *testing.T) {
	l, a := newPurgeLog(), Stream{"ams-1", 1}
	for _, c := range []struct {
		number uint64
		taken  bool
	}{{2, false}, {1, true}, {1, false}, {3, false}, {2, true}, {3, true}} {
		if taken := l.add(nth(a, c.number, then)); taken != c.taken {
			t.Errorf("%d: %v", c.number, taken)
		}
	}
	for _, c := range []struct {
		from  uint64
		limit int
		want  string
		gone  bool
	}{{1, 100, "1 2 3", false}, {3, 100, "3", false}, {4, 100, "", false}, {9, 100, "", false}, {1, 0, "1", false}, {1, 2, "1 2", false}, {0, 100, "", true}} {
		list, gone := l.since(a, c.from, c.limit)
		if numbers(list) != c.want || gone != c.gone {
			t.Errorf("from %d: %s, %v", c.from, numbers(list), gone)
		}
	}
	if list, gone := l.since(Stream{"x", 1}, 1, 100); len(list) != 0 || gone {
		t.Error("an unknown stream has something")
	}
}

func TestLogIsBounded(t *testing.T) {
	l, a, b := newPurgeLog(), Stream{"ams-1", 1}, Stream{"fra-1", 1}
	l.add(nth(b, 1, then.Add(time.Hour)))
	for n := range uint64(maxPurges + 5) {
		l.add(nth(a, n+1, then.Add(time.Duration(n))))
	}
	marks := l.marks()
	if l.count != maxPurges || marks[0].Kept != 7 || marks[1].Kept != 1 {
		t.Errorf("%d: %+v", l.count, marks)
	}
	if _, gone := l.since(a, 6, 1); !gone {
		t.Error("what was dropped isn't gone")
	}
	big := nth(b, 2, then.Add(time.Hour))
	big.Request = make([]byte, maxPurgeBytes-1)
	l.add(big)
	if l.bytes > maxPurgeBytes || l.count > 2 {
		t.Errorf("%d octets in %d", l.bytes, l.count)
	}
}

// TestLogForgets what is old, and is behind nobody who remembers it a little longer.
func TestLogForgets(t *testing.T) {
	l, a := newPurgeLog(), Stream{"ams-1", 1}
	l.add(nth(a, 1, then))
	l.add(nth(a, 2, then.Add(24*time.Hour)))
	marks := l.marks()
	l.forget(then.Add(keepPurges))
	if list, gone := l.since(a, 2, 100); numbers(list) != "2" || gone {
		t.Errorf("%v %v", list, gone)
	}
	l.forget(then.Add(keepPurges + 24*time.Hour))
	if len(l.marks()) != 0 || l.count != 0 || l.bytes != 0 {
		t.Errorf("%+v", l)
	}
	if behind := l.behind(marks, then.Add(keepPurges+25*time.Hour)); len(behind) != 0 {
		t.Errorf("behind %+v", behind)
	}
	if behind := l.behind(marks, then.Add(2*24*time.Hour)); len(behind) != 1 {
		t.Errorf("behind %+v", behind)
	}
}

func TestSkip(t *testing.T) {
	l, a := newPurgeLog(), Stream{"ams-1", 1}
	l.add(nth(a, 1, then))
	l.skip(PurgeMark{Stream: a, At: then}, 1)
	if l.last(a) != 1 || l.count != 1 {
		t.Error("what is there was skipped")
	}
	l.skip(PurgeMark{Stream: a, At: then}, 10)
	if l.last(a) != 9 || l.count != 0 || !l.add(nth(a, 10, then)) {
		t.Errorf("%+v", l.streams[a])
	}
}

func open(t *testing.T, path string, now time.Time) *memory {
	t.Helper()
	m, err := openMemory(path, "ams-1", now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.close() })
	return m
}

func note(t *testing.T, m *memory, l line) {
	t.Helper()
	if err := m.note(l); err != nil {
		t.Fatal(err)
	}
}

func TestMemoryOutlivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	m := open(t, path, then)
	if !m.blank {
		t.Error("nothing is known at first")
	}
	claim := Claim{ServerID{7, 9, 3}, true, then.UTC()}
	note(t, m, line{Claim: &claim})
	first := m.next(json.RawMessage(`"one"`), then)
	note(t, m, line{Purge: &first})
	note(t, m, line{Mark: &PurgeMark{Stream{"fra-1", 5}, 8, 17, then}})
	note(t, m, line{Heard: then})

	m = open(t, path, then.Add(time.Hour))
	if m.blank || m.claim != claim || !m.heard.Equal(then) {
		t.Errorf("%+v", m)
	}
	marks := m.log.marks()
	if len(marks) != 2 || marks[0].Last != 1 || marks[1].Last != 7 || marks[1].Kept != 8 {
		t.Errorf("%+v", marks)
	}
	// Another process of the node never uses a number again.
	if next := m.next(nil, then.Add(time.Hour)); next.Stream == first.Stream || next.Number != 1 {
		t.Errorf("%+v after %+v", next, first)
	}
	m = open(t, path, then.Add(trustWithin+time.Hour))
	if !m.blank {
		t.Error("after so long a silence nothing may be trusted")
	}
}

// TestMemoryAfterACrash: a line that was cut off was never done; anything else that can't be read means that nothing is
// known.
func TestMemoryAfterACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	m := open(t, path, then)
	for n := range uint64(3) {
		p := nth(Stream{"fra-1", 5}, n+1, then)
		note(t, m, line{Purge: &p})
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what    string
		content string
		blank   bool
		last    uint64
	}{
		{"whole", string(whole), false, 3},
		{"cut off", string(whole[:len(whole)-20]), false, 2},
		{"broken in the middle", strings.Replace(string(whole), `"number":1`, `"number":x`, 1), true, 0},
		{"another node's", strings.Replace(string(whole), `"node":"ams-1"`, `"node":"ams-2"`, 1), true, 0},
		{"another version", strings.Replace(string(whole), `"version":1`, `"version":2`, 1), true, 0},
		{"empty", "", true, 0},
		{"no JSON", "hello\n", true, 0},
		{"one line too few", strings.Join(strings.SplitAfter(string(whole), "\n")[1:], ""), true, 0},
	} {
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		m := open(t, path, then)
		if last := m.log.last(Stream{"fra-1", 5}); m.blank != c.blank || last != c.last {
			t.Errorf("%s: blank %v, last %d", c.what, m.blank, last)
		}
	}
}

// TestQuietStreams: a node that has purged nothing for so long that others may have forgotten it begins anew.
func TestQuietStreams(t *testing.T) {
	m := open(t, "", then)
	first := m.next(nil, then)
	note(t, m, line{Purge: &first})
	second := m.next(nil, then.Add(time.Hour))
	note(t, m, line{Purge: &second})
	third := m.next(nil, then.Add(keepPurges))
	if second.Stream != first.Stream || second.Number != 2 || third.Stream == first.Stream || third.Number != 1 {
		t.Errorf("%+v %+v %+v", first, second, third)
	}
}
