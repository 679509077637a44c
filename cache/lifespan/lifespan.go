// Package lifespan has the end of a context that is part of what it is for: a request, a fill. It costs nothing beyond that,
// unless several wait for it. A context of package context is an object of its own, and of its parent's account, which all
// requests of a listener share.
//
//	type mine struct {
//		lifespan.Span          // Done, Err, AfterFunc, Deadline; End ends it
//		parent context.Context // for its values; what is to end with the parent, says so: AtEnd(parent, m.End)
//	}
//	func (m *mine) Value(key any) any { return m.parent.Value(key) }
//
// Whoever wraps such a context has an AfterFunc as well, or package context has a goroutine wait for its end.
// The package imports nothing of anyedge.
package lifespan

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Span is a context but for its values. It has no deadline. The zero value has not ended; it must not be copied.
// Its methods may be called concurrently.
type Span struct {
	over atomic.Bool // set with mu held

	mu    sync.Mutex // guards the following fields
	done  chan struct{}
	after []ending // what is called at the end
	room  [1]ending
	count int // of endings so far
}

// ending is what is called at the end.
type ending struct {
	number int
	f      func()
}

// Deadline tells that there is none.
func (l *Span) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done is closed at the end.
func (l *Span) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.over.Load() {
			close(l.done)
		}
	}
	return l.done
}

// Err is nil until the end, and context.Canceled then.
func (l *Span) Err() error {
	if l.over.Load() {
		return context.Canceled
	}
	return nil
}

// AfterFunc has f called in its own goroutine at the end, unless it is stopped before, as context.AfterFunc has it, which
// finds this method.
func (l *Span) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over.Load() {
		go f() // whoever has asked for it sees to its end
		return func() bool { return false }
	}
	if l.after == nil {
		l.after = l.room[:0]
	}
	l.count++
	number := l.count
	l.after = append(l.after, ending{number, f})
	return func() bool { return l.forget(number) }
}

func (l *Span) forget(number int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.after {
		if l.after[i].number == number {
			l.after = slices.Delete(l.after, i, i+1)
			return true
		}
	}
	return false
}

// End ends it. Only the first call counts.
func (l *Span) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over.Load() {
		return
	}
	l.over.Store(true)
	if l.done != nil {
		close(l.done)
	}
	for _, e := range l.after {
		go e.f() // whoever has asked for it sees to its end
	}
	l.after, l.room = nil, [1]ending{}
}

// AtEnd has f called when ctx ends, as context.AfterFunc does: by ctx itself, where that can, at less expense.
func AtEnd(ctx context.Context, f func()) (stop func() bool) {
	if own, ok := ctx.(interface{ AfterFunc(func()) func() bool }); ok {
		return own.AfterFunc(f)
	}
	return context.AfterFunc(ctx, f)
}
