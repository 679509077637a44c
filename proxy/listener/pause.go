package listener

import (
	"context"
	"sync"
	"time"
)

// PauseAccept accepts no more TCP connections until ResumeAccept: another process that has the sockets does. Handshakes
// under way end. When it returns, what connects is left to the kernel's backlog. ResumeAccept isn't called meanwhile.
func (l *Listener) PauseAccept() {
	for _, a := range l.acceptors() {
		a.rests.pause()
		_ = a.SetDeadline(time.Unix(1, 0)) // ends the wait in accept(2); fails only for a closed socket
		a.rests.settle()
	}
}

// ResumeAccept ends PauseAccept.
func (l *Listener) ResumeAccept() {
	for _, a := range l.acceptors() {
		_ = a.SetDeadline(time.Time{})
		a.rests.resume()
	}
}

// settlePoll is how often Settle looks.
const settlePoll = 10 * time.Millisecond

// Settle waits, once nothing more is accepted here, until handshakes under way have ended, over QUIC those of all listeners
// with the same Handshakes, or until ctx ends. Shutdown would refuse them.
func (l *Listener) Settle(ctx context.Context) {
	tick := time.NewTicker(settlePoll)
	defer tick.Stop()
	for l.shaking() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (l *Listener) shaking() bool {
	for _, s := range l.https {
		if s.shaking.Load() > 0 {
			return true
		}
	}
	return l.config.Handshakes.unfinished.Load() > 0
}

// Connections is how many clients' connections there are, over TCP and QUIC.
func (l *Listener) Connections() int {
	total := len(l.conns.all())
	for _, s := range l.quic {
		s.mu.Lock()
		total += len(s.open)
		s.mu.Unlock()
	}
	return total
}

func (l *Listener) acceptors() (list []*acceptor) {
	for _, s := range l.https {
		list = append(list, s.acceptor)
	}
	return append(list, l.plain...)
}

// rests lets an accept loop stop and go on.
type rests struct {
	accepting sync.Mutex    // held by the loop in accept(2), and when it is about to be
	mu        sync.Mutex    // guards the following field
	until     chan struct{} // closed at the end of the pause; nil: there is none
}

func (r *rests) pause() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil {
		r.until = make(chan struct{})
	}
}

func (r *rests) resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until != nil {
		close(r.until)
		r.until = nil
	}
}

// begin waits for the end of a pause, or of ctx. What follows is accept(2), and then end.
func (r *rests) begin(ctx context.Context) {
	for {
		r.accepting.Lock()
		r.mu.Lock()
		until := r.until
		r.mu.Unlock()
		if until == nil || ctx.Err() != nil {
			return
		}
		r.accepting.Unlock()
		select {
		case <-until:
		case <-ctx.Done():
		}
	}
}

func (r *rests) end() { r.accepting.Unlock() }

// settle waits until the loop is out of accept(2), whose wait has been ended: it may have been about to begin.
func (r *rests) settle() {
	r.accepting.Lock()
	defer r.accepting.Unlock()
}
