package cache

import (
	"context"
	"sync"
	"time"
)

// work owns the goroutines that outlive a request: fills and sweeps.
type work struct {
	ctx    context.Context // ends when they must stop
	cancel context.CancelFunc
	wg     sync.WaitGroup

	closing chan struct{} // closed when nothing new begins

	mu   sync.Mutex // guards the following field
	over bool       // closing is closed
}

func newWork() *work {
	w := &work{closing: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// start runs f in a goroutine that close waits for; false when nothing new may begin.
func (w *work) start(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return false
	}
	w.wg.Go(f)
	return true
}

// enter has close wait for leave; false when nothing new may begin.
func (w *work) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.wg.Add(1)
	}
	return !w.over
}

func (w *work) leave() { w.wg.Done() }

// sleep waits so long; false when the work shall end.
func (w *work) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.closing:
		return false
	}
}

func (w *work) closed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.over
}

// close waits for what runs; when ctx ends first, it is told to stop.
func (w *work) close(ctx context.Context) error {
	w.mu.Lock()
	if !w.over {
		close(w.closing)
	}
	w.over = true
	w.mu.Unlock()
	idle := make(chan struct{})
	go func() { // ends with the last of the work
		w.wg.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		w.cancel()
		return nil
	case <-ctx.Done():
		w.cancel()
		<-idle
		return ctx.Err()
	}
}
