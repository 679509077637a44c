package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing/fleet/gossip"
)

// nobody is a mesh without anybody, and a cache that takes everything that is JSON.
type nobody struct{}

func (nobody) Send(string, []byte) error { return errors.New("nobody is there") }

func (nobody) Members() []gossip.Member { return nil }

func (nobody) Purge(_ context.Context, r json.RawMessage) (json.RawMessage, string, error) {
	if len(r) == 0 {
		return nil, "", errors.New("nothing")
	}
	return nil, "", nil
}

func (nobody) Clear(context.Context, string) error { return nil }

func newTestPurger(t testing.TB) *purger {
	m, err := openMemory("", "ams-1", then)
	if err != nil {
		t.Fatal(err)
	}
	p := newPurger(context.Background(), "ams-1", m, nobody{}, nobody{}, nil)
	t.Cleanup(func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// FuzzReceive: no message of another node brings this one down, or breaks the order of its log.
func FuzzReceive(f *testing.F) {
	purge := nth(Stream{"fra-1", 5}, 1, then)
	for _, t := range []talk{
		{Purge: &order{7, purge}},
		{Purged: &outcome{ID: 7}},
		{Pull: &pull{Stream{"fra-1", 5}, 1}},
		{Missed: &missed{Mark: PurgeMark{purge.Stream, 1, 3, then}, Purges: []Purge{purge}}},
		{Missed: &missed{Mark: PurgeMark{purge.Stream, 8, 9, then}, Gone: true}},
	} {
		b, err := json.Marshal(t)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	p := newTestPurger(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m talk
		if json.Unmarshal(b, &m) != nil {
			return
		}
		p.receive(context.Background(), "fra-1", &m)
		for id, s := range p.memory.log.streams {
			if s.kept+uint64(len(s.purges)) != s.last+1 {
				t.Errorf("%v: from %d, %d purges, to %d", id, s.kept, len(s.purges), s.last)
			}
		}
	})
}

// TestWarningsAreNotDone: what a restart may bring back is carried out again by the next process.
func TestWarningsAreNotDone(t *testing.T) {
	path := t.TempDir() + "/state"
	m := open(t, path, then)
	p := newPurger(context.Background(), "ams-1", m, nobody{}, nobody{}, nil)
	a := Stream{"fra-1", 5}
	p.carriedOut(nth(a, 1, then), "")
	p.carriedOut(nth(a, 2, then), "the disk is full")
	p.carriedOut(nth(a, 3, then), "")
	if last := m.log.last(a); last != 3 {
		t.Errorf("%d is the last now", last)
	}
	if last := open(t, path, then).log.last(a); last != 1 {
		t.Errorf("%d is the last after a restart", last)
	}
}

// TestSilence: a node that heard nobody for longer than purges are kept begins with nothing when somebody is heard again.
func TestSilence(t *testing.T) {
	m := open(t, "", then)
	cleared := &counting{}
	p := newPurger(context.Background(), "ams-1", m, nobody{}, cleared, nil)
	for _, c := range []struct {
		heard time.Duration
		want  int
	}{{0, 0}, {time.Hour, 0}, {time.Hour + time.Minute, 0}, {time.Hour + trustWithin, 1}, {2*time.Hour + trustWithin, 1}} {
		at := then.Add(c.heard)
		p.compare(context.Background(), at, at, nil)
		if cleared.n != c.want {
			t.Errorf("after %s: cleared %d times", c.heard, cleared.n)
		}
	}
}

type counting struct {
	nobody
	n int
}

func (c *counting) Clear(context.Context, string) error {
	c.n++
	return nil
}
