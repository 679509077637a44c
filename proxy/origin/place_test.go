package origin

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// waits counts those who found no place at once.
type waits struct {
	silence
	atOnce, not int
}

func (w *waits) Place(_ string, atOnce bool) {
	if atOnce {
		w.atOnce++
		return
	}
	w.not++
}

// small is a pool with one place at each of n servers that nobody listens at, and a queue of two.
func small(t *testing.T, n int) *Pool {
	t.Helper()
	var o Options
	o.SetDefaults()
	for i := range n {
		o.Servers = append(o.Servers, "http://192.0.2.1:"+string(rune('1'+i)))
	}
	o.Concurrency = ConcurrencyOptions{Max: 1, Queue: 2, Wait: 5 * time.Second}
	p, err := New("shop", o, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustAcquire(t *testing.T, p *Pool) *server {
	t.Helper()
	s, _, err := p.acquire(t.Context(), nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantLimit(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Type != ConnectionLimitReached || e.Status != 503 {
		t.Errorf("got %v, want %s 503", err, ConnectionLimitReached)
	}
}

func TestQueueIsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := small(t, 1)
		s := mustAcquire(t, p)
		order := make(chan int, 2)
		for i := range 2 {
			go func() {
				if _, _, err := p.acquire(t.Context(), nil, time.Now()); err == nil {
					order <- i
				}
			}()
			synctest.Wait()
		}
		_, _, err := p.acquire(t.Context(), nil, time.Now())
		wantLimit(t, err) // the queue is full: at once
		for want := range 2 {
			p.release(s)
			if got := <-order; got != want {
				t.Errorf("number %d was served when %d was next", got, want)
			}
		}
		p.release(s)
		if n := p.Status().Servers[0].InFlight; n != 0 {
			t.Errorf("%d in flight at the end", n)
		}
	})
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := small(t, 1)
		told := &waits{}
		p.reporter = told
		s := mustAcquire(t, p)
		began := time.Now()
		_, _, err := p.acquire(t.Context(), nil, time.Now())
		wantLimit(t, err)
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("waited %s, want 5s", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := p.acquire(ctx, nil, time.Now()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		if p.Status().Waiting != 0 {
			t.Error("who gave up still waits")
		}
		if told.atOnce != 1 || told.not != 2 {
			t.Errorf("told of %d places at once and %d not", told.atOnce, told.not)
		}
		p.release(s)
	})
}

// A place that time alone frees goes to whoever waits longest, not to who comes then.
func TestNobodyOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := small(t, 4)
		p.options.Ejection.Panic = 0
		for range 3 {
			mustAcquire(t, p)
		}
		var away *server
		for _, s := range p.servers {
			if s.inFlight == 0 {
				away = s
			}
		}
		p.mu.Lock()
		away.turn(time.Now(), false)
		p.mu.Unlock()
		got := make(chan *server, 1)
		go func() {
			s, _, _ := p.acquire(t.Context(), nil, time.Now())
			got <- s
		}()
		synctest.Wait()
		p.mu.Lock()
		away.turn(time.Now(), true)
		p.mu.Unlock()
		_, _, err := p.acquire(t.Context(), nil, time.Now()) // waits behind the first, in vain
		wantLimit(t, err)
		if s := <-got; s != away {
			t.Errorf("the first got %v", s)
		}
	})
}

// One who would rather not have the server that is free doesn't keep the others from it.
func TestHeadOfQueueDoesNotBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := small(t, 2)
		a, b := mustAcquire(t, p), mustAcquire(t, p)
		picky := make(chan *server, 1)
		go func() { s, _, _ := p.acquire(t.Context(), a, time.Now()); picky <- s }()
		synctest.Wait()
		other := make(chan *server, 1)
		go func() { s, _, _ := p.acquire(t.Context(), nil, time.Now()); other <- s }()
		synctest.Wait()
		p.release(a)
		if s := <-other; s != a {
			t.Errorf("the second got %s", s.url)
		}
		p.release(b)
		if s := <-picky; s != b {
			t.Errorf("the first got %s", s.url)
		}
	})
}
