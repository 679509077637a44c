package gossip

import (
	"io"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// bare is a mesh without a network.
func bare() *Mesh {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	m := &Mesh{
		config: Config{Name: "self", Log: log}, states: newStates("self"), inbox: make(chan message, 1), wants: make(chan string, 1),
		wake: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	m.members = newMembers("self", m.change, m.clash)
	m.queue = &memberlist.TransmitLimitedQueue{NumNodes: func() int { return 3 }, RetransmitMult: 3}
	return m
}

var at = time.Unix(1700000000, 0)

func TestOldWordsCountForNothing(t *testing.T) {
	s := newStates("self")
	newest := header{"ams-1", version{2, 5}, 9}
	if news, changed := s.take(newest, []byte("new"), at); !news || !changed {
		t.Fatal("the first isn't news")
	}
	for _, c := range []struct {
		what  string
		h     header
		state string
	}{
		{"the same again", newest, "new"},
		{"an older beat", header{"ams-1", version{2, 5}, 8}, "new"},
		{"an older state", header{"ams-1", version{2, 4}, 7}, "old"},
		{"an earlier process", header{"ams-1", version{1, 99}, 99}, "old"},
	} {
		if news, changed := s.take(c.h, []byte(c.state), at.Add(time.Hour)); news || changed {
			t.Errorf("%s is news", c.what)
		}
	}
	if state, heard := s.of("ams-1"); string(state) != "new" || !heard.Equal(at) {
		t.Errorf("%q heard at %s", state, heard)
	}
	// A state that comes after a later beat is news all the same, and nothing is missing then.
	if _, missing := s.hear(header{"ams-1", version{2, 6}, 10}, at); !missing {
		t.Error("the state isn't missing")
	}
	if nodes := s.missing(at, time.Second); len(nodes) != 1 {
		t.Errorf("missing: %v", nodes)
	}
	if nodes := s.missing(at, time.Second); len(nodes) != 0 {
		t.Errorf("asked for again at once: %v", nodes)
	}
	if _, changed := s.take(header{"ams-1", version{2, 6}, 10}, []byte("newer"), at); !changed {
		t.Error("the state that was missing isn't news")
	}
	if _, missing := s.hear(header{"ams-1", version{2, 6}, 11}, at); missing {
		t.Error("it is still missing")
	}
}

// TestClockSetBack: a process whose clock is behind that of the one before it still gets heard.
func TestClockSetBack(t *testing.T) {
	s := newStates("self")
	s.publish([]byte("new"), at)
	before := header{"self", version{uint64(at.Add(time.Hour).UnixNano()), 7}, 900}
	s.take(before, []byte("of the process before"), at)
	h, state := s.publish(nil, at)
	if !h.newer(before.version) || !h.later(&before) || string(state) != "new" {
		t.Errorf("%+v %q", h, state)
	}
}

func TestHandedOn(t *testing.T) {
	s := newStates("self")
	s.publish([]byte("own"), at)
	s.take(header{"ams-1", version{1, 1}, 1}, []byte("one"), at.Add(-time.Minute))
	s.hear(header{"ams-1", version{1, 2}, 2}, at.Add(-time.Second))
	s.hear(header{"fra-1", version{1, 1}, 1}, at)
	list := s.all(at)
	if len(list) != 2 || list[0].node != "ams-1" || list[0].number != 1 || list[0].age != time.Second || list[1].node != "self" {
		t.Errorf("%+v", list)
	}
}

func TestStatesAreBounded(t *testing.T) {
	s := newStates("self")
	for i := range maxNodes + 10 {
		s.take(header{strconv.Itoa(i), version{1, 1}, 1}, []byte("x"), at)
	}
	if n := len(s.all(at)); n > maxNodes {
		t.Errorf("%d nodes", n)
	}
	if _, changed := s.take(header{"1", version{2, 1}, 1}, make([]byte, maxState+1), at); changed {
		t.Error("a large state was taken")
	}
	s.prune(at.Add(forgetAfter), func(node string) bool { return node == "1" })
	if list := s.all(at); len(list) != 1 || list[0].node != "1" {
		t.Errorf("%d left", len(list))
	}
}
