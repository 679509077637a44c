package health

import (
	"sync"
	"time"
)

const (
	repeatSpan = time.Second // within which the same event again only counts
	repeatBack = 16          // how many events back are compared, so that Add stays short under a flood of different ones
)

// Journal keeps the last events of this node. All methods may be called at any time by anyone; a nil Journal
// takes events and keeps none.
type Journal struct {
	mu sync.Mutex // guards the following fields
	// ring holds event Seq at index (Seq-1) % len(ring); last is the newest Seq.
	ring        []Event
	last        uint64
	subscribers map[chan struct{}]struct{}
}

// NewJournal keeps size events, at least one.
func NewJournal(size int) *Journal {
	return &Journal{ring: make([]Event, max(size, 1)), subscribers: map[chan struct{}]struct{}{}}
}

// Add notes what happened. The same again within a second raises the Count of the first instead,
// and wakes no subscriber.
func (j *Journal) Add(kind EventKind, subject, text string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	e := Event{Time: time.Now(), Kind: kind, Subject: subject, Text: text, Count: 1}
	if first := j.repeated(&e); first != nil {
		first.Count++
		return
	}
	j.last++
	e.Seq = j.last
	*j.at(e.Seq) = e
	for c := range j.subscribers {
		select {
		case c <- struct{}{}:
		default: // it has a token that it hasn't taken
		}
	}
}

// repeated is the kept event that e repeats, or nil.
func (j *Journal) repeated(e *Event) *Event {
	oldest := max(j.oldest(), int64(j.last)-repeatBack+1)
	for seq := int64(j.last); seq >= oldest; seq-- {
		k := j.at(uint64(seq))
		if e.Time.Sub(k.Time) >= repeatSpan {
			return nil
		}
		if k.Text == e.Text && k.Subject == e.Subject && k.Kind == e.Kind {
			return k
		}
	}
	return nil
}

func (j *Journal) at(seq uint64) *Event { return &j.ring[(seq-1)%uint64(len(j.ring))] }

// oldest is the lowest Seq that is still kept.
func (j *Journal) oldest() int64 { return max(int64(j.last)-int64(len(j.ring)), 0) + 1 }

// Since returns the kept events with a Seq above seq, oldest first. A gap at the front means that some are gone.
func (j *Journal) Since(seq uint64) []Event {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []Event
	for s := max(uint64(j.oldest()), seq+1); s <= j.last; s++ {
		list = append(list, *j.at(s))
	}
	return list
}

// Subscribe returns a channel that holds a token whenever there are events since the last token was taken.
// cancel ends it; it may be called again.
func (j *Journal) Subscribe() (news <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	if j == nil {
		return c, func() {}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.subscribers[c] = struct{}{}
	return c, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.subscribers, c)
	}
}
