package health

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// registry finds records by name without a lock, since every request looks one up. It makes them as names come up,
// until keep says which names there are: from then on a request that was under way while a reload removed its origin
// doesn't bring the origin back.
type registry[T any] struct {
	make    func(name string) *T
	mu      sync.Mutex // serialises writers
	entries atomic.Pointer[entries[T]]
}

// entries is immutable.
type entries[T any] struct {
	byName map[string]*T
	sorted []*T // by ascending name
	closed bool // by keep
}

func newEntries[T any](byName map[string]*T, closed bool) *entries[T] {
	e := &entries[T]{byName: byName, closed: closed}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		e.sorted = append(e.sorted, byName[name])
	}
	return e
}

func newRegistry[T any](make func(string) *T) *registry[T] {
	r := &registry[T]{make: make}
	r.entries.Store(newEntries(map[string]*T{}, false))
	return r
}

// get returns name's record, or nil if keep has ruled it out.
func (r *registry[T]) get(name string) *T {
	e := r.entries.Load()
	if record := e.byName[name]; record != nil || e.closed {
		return record
	}
	return r.add(name)
}

func (r *registry[T]) add(name string) *T {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries.Load()
	if record := e.byName[name]; record != nil || e.closed {
		return record
	}
	next := maps.Clone(e.byName)
	record := r.make(name)
	next[name] = record
	r.entries.Store(newEntries(next, false))
	return record
}

// keep has exactly a record for each of names; those that stay keep what they know.
func (r *registry[T]) keep(names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was, next := r.entries.Load().byName, make(map[string]*T, len(names))
	for _, name := range names {
		next[name] = was[name]
		if was[name] == nil {
			next[name] = r.make(name)
		}
	}
	r.entries.Store(newEntries(next, true))
}

// all returns every record by ascending name; the slice is shared.
func (r *registry[T]) all() []*T { return r.entries.Load().sorted }
