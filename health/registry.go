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
	closed bool
}

func newRegistry[T any](make func(string) *T) *registry[T] {
	r := &registry[T]{make: make}
	r.entries.Store(&entries[T]{})
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
	next := &entries[T]{byName: maps.Clone(e.byName)}
	if next.byName == nil {
		next.byName = map[string]*T{}
	}
	record := r.make(name)
	next.byName[name] = record
	r.entries.Store(next)
	return record
}

// keep has exactly a record for each of names; those that stay keep what they know.
func (r *registry[T]) keep(names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := &entries[T]{byName: make(map[string]*T, len(names)), closed: true}
	was := r.entries.Load().byName
	for _, name := range names {
		next.byName[name] = was[name]
		if was[name] == nil {
			next.byName[name] = r.make(name)
		}
	}
	r.entries.Store(next)
}

// all returns every record by ascending name.
func (r *registry[T]) all() []*T {
	byName := r.entries.Load().byName
	list := make([]*T, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		list = append(list, byName[name])
	}
	return list
}
