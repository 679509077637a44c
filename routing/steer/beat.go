package steer

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	beatEvery  = 200 * time.Millisecond
	probeEvery = 5 // beats, of the path's MTU
	// questionsKept answers may come late: 3.2 s of pings.
	questionsKept = 16
	// silentAfter is how long a node may be silent before it counts as dead where others hear nothing of it either.
	silentAfter = 3 * time.Second
	// aloneAfter is the same where there is no other node that could say.
	aloneAfter = 30 * time.Second
)

// beat is what is asked of one peer, and what it said last. Its methods may be called concurrently.
type beat struct {
	mu         sync.Mutex // guards the following fields
	questions  [questionsKept]question
	asked      int
	search     pmtu
	probe      uint64 // the challenge of the last probe; 0: it is settled
	silent     []NodeID
	left       bool // it said goodbye
	generation uint8
}

// question is a ping that may be answered.
type question struct {
	challenge uint64
	at        time.Time
}

// ask returns the challenge of a new ping.
func (b *beat) ask(now time.Time) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.askLocked(now)
}

func (b *beat) askLocked(now time.Time) uint64 {
	q := question{challenge: rand.Uint64() | 1, at: now} // 0 is none
	b.questions[b.asked%questionsKept] = q
	b.asked++
	return q.challenge
}

// askSize returns the challenge and the size of a new probe. heard says whether the peer has answered lately: a probe is
// only lost where pings aren't.
func (b *beat) askSize(now time.Time, heard bool) (challenge uint64, size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.probe != 0 && heard {
		b.search.lost()
	}
	b.probe = b.askLocked(now)
	return b.probe, b.search.next()
}

// searching says whether a larger size may fit and the last probe is settled.
func (b *beat) searching() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.probe == 0 && b.search.grows()
}

// answer takes an answer and returns how long it took; false: nobody asked, or it came too late.
func (b *beat) answer(m body, now time.Time) (rtt time.Duration, size int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, q := range b.questions {
		if q.challenge == 0 || q.challenge != m.challenge {
			continue
		}
		b.questions[i] = question{}
		if b.probe == m.challenge {
			b.probe = 0
			b.search.answered()
		}
		b.sayLocked(m)
		return now.Sub(q.at), b.search.size(), true
	}
	return 0, 0, false
}

// say takes what a peer says unasked.
func (b *beat) say(m body) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sayLocked(m)
}

func (b *beat) sayLocked(m body) { b.silent, b.left, b.generation = m.silent, m.leaving, m.generation }

// hearsNothingOf says whether the peer said so of n.
func (b *beat) hearsNothingOf(n NodeID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.silent, n)
}

// gone says whether the peer said goodbye.
func (b *beat) gone() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left
}
