package main

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// watched runs a watchdog over a heartbeat in virtual time.
type watched struct {
	mu      sync.Mutex // guards the following fields
	beat    time.Time
	looks   int
	aborted time.Duration
}

// do has f look at w, or change it.
func (w *watched) do(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *watched) lastBeat() (at time.Time) {
	w.do(func() { at = w.beat })
	return at
}

func (w *watched) start(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	dog := watchdog{
		beat: w.lastBeat, alive: func() { w.do(func() { w.looks++ }) },
		abort: func(since time.Duration) { w.do(func() { w.aborted = since }) },
	}
	go func() { ended <- dog.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// pass lets time pass, with a heartbeat each interval.
func (w *watched) pass(d, interval time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(interval)
		synctest.Wait()
		w.do(func() { w.beat = time.Now() })
	}
}

func TestWatchdogLetsALoopLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{}
		w.start(t)
		w.pass(time.Minute, 500*time.Millisecond)
		w.pass(time.Minute, 4*time.Second) // slow, and alive
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.aborted != 0 || w.looks < 200 {
			t.Errorf("aborted after %s, %d looks", w.aborted, w.looks)
		}
	})
}

func TestWatchdogEndsAFrozenLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{}
		w.start(t)
		w.pass(10*time.Second, 500*time.Millisecond)
		time.Sleep(frozenAfter + 2*watchInterval)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.aborted < frozenAfter || w.aborted > frozenAfter+watchInterval {
			t.Errorf("aborted after %s", w.aborted)
		}
	})
}

// A loop that never ends its first round is frozen, too.
func TestWatchdogEndsALoopThatNeverBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{}
		w.start(t)
		time.Sleep(frozenAfter + 2*watchInterval)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.aborted == 0 {
			t.Error("not aborted")
		}
	})
}
