package routing

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/anyedge/anyedge/health"
)

// How the speaker is asked.
const (
	speakLimit = 5 * time.Second  // one call; a call takes well under a millisecond for each route
	retryFirst = time.Second      // after an error; doubled with each in a row
	retryLimit = 30 * time.Second // between two tries
)

// announcer brings the routes wanted to the speaker: when they change, and again after an error.
type announcer struct {
	speaker Speaker
	clock   *clock
	metrics *metrics
	journal *health.Journal
	log     *slog.Logger
	stale   atomic.Bool            // the speaker must be told again though nothing changed
	failure atomic.Pointer[string] // why the last call failed; nil if it didn't

	turn     chan struct{} // holds a token while one caller talks to the speaker and owns the following fields
	told     []Route       // what the speaker was told last
	settled  bool          // and has done
	failures int           // in a row
	retry    time.Time     // not before; zero unless failures > 0
}

func newAnnouncer(sp Speaker, clock *clock, m *metrics, j *health.Journal, log *slog.Logger) *announcer {
	return &announcer{speaker: sp, clock: clock, metrics: m, journal: j, log: log, turn: make(chan struct{}, 1)}
}

// repair has the next sync tell the speaker in any case, since what it allows may have changed.
func (a *announcer) repair() { a.stale.Store(true) }

// sync tells the speaker if there is reason to, and returns when it must be called again to retry; zero if it needn't.
func (a *announcer) sync(ctx context.Context, want func() ([]Route, time.Time)) time.Time {
	ctx, cancel := context.WithTimeout(ctx, speakLimit)
	defer cancel()
	if err := a.take(ctx); err != nil {
		return time.Now().Add(retryFirst)
	}
	defer a.release()
	stale := a.stale.Swap(false)
	routes, decided := want()
	same := slices.EqualFunc(routes, a.told, Route.equal)
	switch {
	case same && a.settled && !stale:
		return time.Time{}
	case same && !stale && time.Now().Before(a.retry):
		return a.retry
	}
	_ = a.tell(ctx, routes, decided) // kept for explain and tried again
	return a.retry
}

// set tells the speaker now.
func (a *announcer) set(ctx context.Context, want func() ([]Route, time.Time)) error {
	if err := a.take(ctx); err != nil {
		return err
	}
	defer a.release()
	routes, decided := want()
	return a.tell(ctx, routes, decided)
}

func (a *announcer) take(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *announcer) release() { <-a.turn }

// tell calls the speaker and remembers how it went.
func (a *announcer) tell(ctx context.Context, routes []Route, decided time.Time) error {
	err := a.speaker.Set(ctx, routes)
	a.told, a.settled = routes, err == nil
	if err == nil {
		a.failures, a.retry = 0, time.Time{}
		a.failure.Store(nil)
		a.metrics.spoken.Observe(a.clock.now().Sub(decided).Seconds())
		return nil
	}
	a.metrics.errors.Inc()
	a.retry = time.Now().Add(min(retryFirst<<min(a.failures, 10), retryLimit))
	a.failures++
	text := err.Error()
	if was := a.failure.Swap(&text); was == nil || *was != text {
		a.journal.Add(health.EventRoute, "", "routes not as decided: "+text)
		a.log.Error("routes not as decided", "error", err)
	}
	return err
}
