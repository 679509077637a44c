package disk_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/anyedge/anyedge/cache/disk"
)

// model is what a store must hold, by key and variant.
type model struct {
	t       *testing.T
	o       disk.Options
	s       *disk.Store
	rand    *rand.Rand
	version uint64
	latest  map[string]*[3]uint64 // versions by variant
	deleted map[string]bool       // and not put since: after a restart it may come back
	evicts  bool
}

func (m *model) step() {
	key := fmt.Sprint("/", m.rand.IntN(150))
	switch n := m.rand.IntN(100); {
	case n < 45:
		m.put(key)
	case n < 50:
		m.s.Delete(idOf(key))
		m.deleted[key] = true
		if got := versions(m.t, m.s, key); len(got) > 0 {
			m.t.Fatalf("%s is deleted, and there: %v", key, got)
		}
	case n < 99:
		m.check(key, false)
	default:
		m.reopen(m.rand.IntN(2) == 0)
	}
}

func (m *model) put(key string) {
	m.version++
	variant := m.rand.Uint64N(3)
	put(m.t, m.s, record(key, variant, m.version, m.rand.IntN(30_000)))
	if m.deleted[key] {
		delete(m.latest, key) // nothing is known of the other variants
		delete(m.deleted, key)
	}
	if m.latest[key] == nil {
		m.latest[key] = new([3]uint64)
	}
	m.latest[key][variant] = m.version
}

// check compares a key's records with what was put last: an older version is never right.
func (m *model) check(key string, restarted bool) {
	got := versions(m.t, m.s, key)
	if m.latest[key] == nil {
		return
	}
	for variant, want := range m.latest[key] {
		version, there := got[uint64(variant)]
		mayMiss := m.evicts || m.deleted[key] || want == 0
		if there && want != 0 && version != want || !there && !mayMiss {
			m.t.Fatalf("%s, variant %d: version %d, want %d, deleted %v, restarted %v", key, variant, version, want, m.deleted[key], restarted)
		}
	}
}

// reopen ends the store, in order or in a hurry, which leaves a segment without a footer.
func (m *model) reopen(inOrder bool) {
	if inOrder {
		closeStore(m.t, m.s)
	} else {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = m.s.Close(ctx) // its error is ctx's
	}
	m.s = open(m.t, m.o)
	awaitLoaded(m.t, m.s)
	for key := range m.latest {
		m.check(key, true)
	}
}

func testModel(t *testing.T, size int64, disks, steps int) {
	t.Parallel()
	var paths []string
	for range disks {
		paths = append(paths, t.TempDir())
	}
	m := &model{
		t: t, o: options(paths...), rand: rand.New(rand.NewPCG(uint64(size), uint64(disks))),
		latest: map[string]*[3]uint64{}, deleted: map[string]bool{}, evicts: size < 32<<20,
	}
	m.o.Size, m.o.Segment = size, 256<<10
	m.s = open(t, m.o)
	awaitLoaded(t, m.s)
	for range steps {
		m.step()
	}
	for _, st := range m.s.Stats() {
		if st.Corrupt > 0 || st.ReadErrors > 0 || st.Bytes > size {
			t.Errorf("%+v", st)
		}
	}
	closeStore(t, m.s)
}

func TestModel(t *testing.T)          { testModel(t, 1<<30, 1, 2500) }
func TestModelEvicting(t *testing.T)  { testModel(t, 2<<20, 1, 2500) }
func TestModelManyDisks(t *testing.T) { testModel(t, 1<<30, 3, 1500) }
