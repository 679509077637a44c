package cache

import (
	"sync/atomic"
	"time"
)

// reasons are those that are counted.
var reasons = [...]Reason{
	ReasonStatus, ReasonPartial, ReasonNoStore, ReasonPrivate, ReasonAuthorization, ReasonVary, ReasonSetCookie, ReasonUnkeyed,
	ReasonDeception, ReasonPolicy, ReasonNotExplicit, ReasonUseless, ReasonTooLarge, ReasonNoRoom, ReasonPurged,
}

// unstored counts the responses that weren't stored, and remembers the last of them for who asks why.
type unstored struct {
	counts [len(reasons)]atomic.Uint64 // in the order of reasons
	recent [recentUnstored]atomic.Pointer[Unstored]
}

// recentUnstored is how many keys the last reason is known of; those that collide overwrite each other.
const recentUnstored = 1 << 12

// unstoredSpan is how old what is known may be before the same is noted again.
const unstoredSpan = time.Second

// Unstored is a response that wasn't stored.
type Unstored struct {
	Reason Reason    `json:"reason"`
	Status int       `json:"status"`
	At     time.Time `json:"at"`

	hash uint64
}

// add notes a response to the request for a key.
func (u *unstored) add(hash uint64, status int, reason Reason, now time.Time) {
	for i := range reasons {
		if reasons[i] == reason {
			u.counts[i].Add(1)
		}
	}
	at := &u.recent[hash%recentUnstored]
	if last := at.Load(); last != nil && last.hash == hash && last.Reason == reason && last.Status == status && now.Sub(last.At) < unstoredSpan {
		return
	}
	at.Store(&Unstored{Reason: reason, Status: status, At: now, hash: hash})
}

// last returns the last response for a key that wasn't stored; nil when none is known.
func (u *unstored) last(hash uint64) *Unstored {
	if last := u.recent[hash%recentUnstored].Load(); last != nil && last.hash == hash {
		return last
	}
	return nil
}

// forget drops what is known of a key, now that something is stored for it.
func (u *unstored) forget(hash uint64) {
	if last := u.last(hash); last != nil {
		u.recent[hash%recentUnstored].CompareAndSwap(last, nil)
	}
}

func (u *unstored) stats() map[Reason]uint64 {
	counts := make(map[Reason]uint64, len(reasons))
	for i, reason := range reasons {
		counts[reason] = u.counts[i].Load()
	}
	return counts
}
