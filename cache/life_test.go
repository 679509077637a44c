package cache

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"
)

type lifeKey struct{}

// TestLife: a fill's context has its request's values, but neither its end nor its cause.
func TestLife(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), lifeKey{}, "v"))
	l := &life{request: ctx}
	cancel(errors.New("the client has left"))
	if l.Err() != nil || l.Value(lifeKey{}) != "v" || context.Cause(l) != nil {
		t.Errorf("it ended with its request: %v, %v, value %v", l.Err(), context.Cause(l), l.Value(lifeKey{}))
	}
	child, stop := context.WithCancel(l)
	defer stop()
	if child.Err() != nil {
		t.Errorf("a child ended: %v", child.Err())
	}
	l.End()
	l.End()
	<-l.Done()
	<-child.Done()
	if !errors.Is(l.Err(), context.Canceled) || !errors.Is(context.Cause(l), context.Canceled) {
		t.Errorf("ended: %v, %v", l.Err(), context.Cause(l))
	}
}

// TestLifePassesInterim: 1xx responses are passed on by the hooks of httptrace, together with those that are there.
func TestLifePassesInterim(t *testing.T) {
	heard := false
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteHeaders: func() { heard = true }})
	w := httptest.NewRecorder()
	l := &life{request: ctx, interim: &interim{w: w}}
	trace := httptrace.ContextClientTrace(l)
	if err := trace.Got1xxResponse(103, nil); err != nil || w.Code != 103 {
		t.Errorf("%v, %d", err, w.Code)
	}
	if trace.WroteHeaders(); !heard {
		t.Error("the request's own hooks are lost")
	}
	if trace := httptrace.ContextClientTrace(&life{request: t.Context()}); trace != nil {
		t.Error("there are hooks where nobody wants any")
	}
}

func TestEvent(t *testing.T) {
	var early, late event
	heard := early.heard()
	if early.has() {
		t.Error("it has happened")
	}
	early.tell()
	late.tell()
	<-heard
	<-early.heard()
	<-late.heard()
	if !early.has() || !late.has() {
		t.Error("it hasn't happened")
	}
}
