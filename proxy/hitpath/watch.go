package hitpath

import (
	"errors"
	"os"
	"sync"
	"time"
)

const (
	// watchAfter is how long a handler may take before somebody looks whether its client is still there: most answers from
	// near origins come sooner, and cost no goroutine.
	watchAfter = 5 * time.Millisecond
	// maxAhead is how much is read ahead for that, in octets. A client that sends more is taken to be there.
	maxAhead = 2 << 10
)

// watch looks after the client while a handler answers it, and cancels the request when the client goes. That is found by
// reading, so it keeps what comes. It serves one request after the other, of any connection.
//
//	idle ─ begin ─▶ armed ─ watchAfter ─▶ reading ─▶ read
//	  ▲               └───────── end ────────┴─────────┤
//	  └────────────────────────────────────────────────┘
type watch struct {
	timer *time.Timer // calls look

	mu       sync.Mutex // guards the following fields
	ended    sync.Cond  // with mu; reading is over
	state    watchState
	conn     *Conn
	turn     *turn
	deadline time.Time // the handler's, for reading; zero: none
	moved    bool      // the connection's deadline for reading isn't the loop's any more
	closing  bool      // end waits
	limit    int       // what ahead may become, in octets
	ahead    []byte    // what came
	gone     error     // why nothing more will

	room [maxAhead]byte
}

type watchState uint8

const (
	watchIdle watchState = iota
	watchArmed
	watchReading
	watchRead
)

func (w *watch) begin(c *Conn, t *turn) {
	w.mu.Lock()
	w.conn, w.turn, w.state, w.limit = c, t, watchArmed, min(maxAhead, moreRoom-c.in.have)
	w.mu.Unlock()
	if w.timer == nil {
		w.ended.L = &w.mu
		w.timer = time.AfterFunc(watchAfter, w.look)
		return
	}
	w.timer.Reset(watchAfter)
}

// look reads until the client goes, or end comes, which waits for it.
func (w *watch) look() {
	if !w.start() {
		return
	}
	for {
		n, err := w.conn.Read(w.room[len(w.ahead):w.limit])
		if !w.note(n, err) {
			return
		}
	}
}

// start returns false where there is nothing to watch: a timer that was stopped too late may call for another request,
// which is watched sooner for that.
func (w *watch) start() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != watchArmed || w.limit == 0 {
		return false
	}
	w.state, w.moved = watchReading, true
	_ = w.conn.SetReadDeadline(w.deadline)
	return true
}

// note keeps what was read, and reports whether to go on.
func (w *watch) note(n int, err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead = w.room[:len(w.ahead)+n]
	if err == nil && len(w.ahead) < w.limit && !w.closing {
		return true
	}
	if err != nil && (!w.closing || !errors.Is(err, os.ErrDeadlineExceeded)) {
		w.gone = err
		w.turn.End()
	}
	w.state = watchRead
	w.ended.Broadcast()
	return false
}

// setDeadline sets the handler's deadline for reading.
func (w *watch) setDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn == nil {
		return errOver
	}
	w.deadline, w.moved = t, true
	return w.conn.SetReadDeadline(t)
}

// end ends the watch, and returns what came meanwhile, valid until the next begin; err ends the connection.
func (w *watch) end() (ahead []byte, err error) {
	w.timer.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == watchReading {
		w.closing = true
		_ = w.conn.SetReadDeadline(time.Unix(1, 0))
		for w.state == watchReading {
			w.ended.Wait()
		}
	}
	ahead, err = w.ahead, w.gone
	if w.moved {
		w.conn.reading = unset
	}
	w.state, w.conn, w.turn, w.deadline = watchIdle, nil, nil, time.Time{}
	w.moved, w.closing, w.ahead, w.gone = false, false, nil, nil
	return ahead, err
}
