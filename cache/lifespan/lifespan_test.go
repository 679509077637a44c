package lifespan_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache/lifespan"
)

type key struct{}

// life is a context with a lifespan.
type life struct {
	lifespan.Span
	values context.Context
}

func (l *life) Value(key any) any { return l.values.Value(key) }

func newLife(t *testing.T) *life {
	return &life{values: context.WithValue(context.Background(), key{}, t.Name())}
}

// TestEnd: whoever waits hears of the end, whenever they ask, and so do contexts that were made of it.
func TestEnd(t *testing.T) {
	l := newLife(t)
	child, stop := context.WithCancel(l)
	defer stop()
	if l.Err() != nil || child.Err() != nil || context.Cause(l) != nil {
		t.Errorf("it has ended before: %v, %v, %v", l.Err(), child.Err(), context.Cause(l))
	}
	if child.Value(key{}) != t.Name() {
		t.Errorf("value %v", child.Value(key{}))
	}
	if _, ok := l.Deadline(); ok {
		t.Error("there is a deadline")
	}
	early := l.Done()
	l.End()
	l.End()
	<-early
	<-l.Done()
	<-child.Done()
	if !errors.Is(l.Err(), context.Canceled) || !errors.Is(context.Cause(l), context.Canceled) {
		t.Errorf("ended: %v, %v", l.Err(), context.Cause(l))
	}
	late := newLife(t)
	late.End()
	<-late.Done()
}

// TestAfterFunc: what waits for the end is called once, unless it was stopped.
func TestAfterFunc(t *testing.T) {
	l, called := newLife(t), make(chan string, 10)
	first := l.AfterFunc(func() { called <- "first" })
	if !first() || first() {
		t.Error("one can be stopped once")
	}
	second := l.AfterFunc(func() { called <- "second" })
	if first() {
		t.Error("who was stopped before stops another")
	}
	third := l.AfterFunc(func() { called <- "third" })
	if !third() {
		t.Error("the third isn't stopped")
	}
	l.End()
	if got := hear(t, called); got != "second" || second() {
		t.Errorf("%s is called", got)
	}
	if l.AfterFunc(func() { called <- "late" })() {
		t.Error("what comes too late is stopped")
	}
	if got := hear(t, called); got != "late" || len(called) > 0 {
		t.Errorf("%s is called", got)
	}
}

// TestAtEnd: of contexts that do it by themselves, and of others.
func TestAtEnd(t *testing.T) {
	l, called := newLife(t), make(chan string, 10)
	plain, end := context.WithCancel(context.Background())
	for _, ctx := range []context.Context{l, plain} {
		if stop := lifespan.AtEnd(ctx, func() { called <- "stopped" }); !stop() {
			t.Error("it isn't stopped")
		}
		lifespan.AtEnd(ctx, func() { called <- "ended" })
	}
	l.End()
	end()
	for range 2 {
		if got := hear(t, called); got != "ended" {
			t.Errorf("%s is called", got)
		}
	}
}

// TestAllocations: a life is as large as it is; to be called at its end costs the means to stop that.
func TestAllocations(t *testing.T) {
	f := func() {}
	if n := testing.AllocsPerRun(100, func() {
		var l lifespan.Span
		l.AfterFunc(f)()
		l.End()
	}); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

func hear(t *testing.T, called <-chan string) string {
	t.Helper()
	select {
	case name := <-called:
		return name
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is called")
		return ""
	}
}
