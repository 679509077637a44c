package cache

import (
	"math"
	"slices"
	"sync"
)

// flights are the fills that are under way. Those that requests may join are found by their key; a key has several
// when Vary makes their responses differ.
type flights struct {
	mu   sync.Mutex // guards the following fields, and those of fills that name it
	open map[string][]*fill
	all  map[*fill]struct{}
}

func newFlights() *flights {
	return &flights{open: make(map[string][]*fill), all: make(map[*fill]struct{})}
}

// join enters a fill for that key that fits, or else the one that begin makes, which others may then join; leads tells
// that it is the latter. The reader of one that others lead is attached now, when no byte of the content is gone yet. begin returns nil, and so
// does join, when what a fill has brought meanwhile will do: it is stored before the fill can't be joined any more.
func (t *flights) join(key string, fits func(*fill) bool, begin func() *fill) (f *fill, r *streamReader, leads bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f, r := t.find(key, fits); f != nil {
		return f, r, false
	}
	if f = begin(); f == nil {
		return nil, nil, false
	}
	t.offer(f)
	t.lead(f)
	return f, nil, true
}

// follow enters a fill for that key that fits; nil when there is none.
func (t *flights) follow(key string, fits func(*fill) bool) (*fill, *streamReader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.find(key, fits)
}

func (t *flights) find(key string, fits func(*fill) bool) (*fill, *streamReader) {
	for _, f := range t.open[key] {
		if f.doomed || !fits(f) {
			continue
		}
		if r := f.flow().attach(); r != nil {
			f.interested++
			f.undecided++
			return f, r
		}
	}
	return nil, nil
}

// enter adds a fill that nobody else may join.
func (t *flights) enter(f *fill) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lead(f)
}

// share adds a fill that others may join, and that no request leads.
func (t *flights) share(f *fill) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.background = true
	t.all[f] = struct{}{}
	t.offer(f)
}

// offer lets others join a fill.
func (t *flights) offer(f *fill) {
	f.offered = true
	t.open[f.key] = append(t.open[f.key], f)
}

// enterBehind adds a fill that no request waits for.
func (t *flights) enterBehind(f *fill) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.background = true
	t.all[f] = struct{}{}
}

func (t *flights) lead(f *fill) {
	t.all[f] = struct{}{}
	f.interested, f.led = 1, true
}

// keep lets a fill finish although nobody may want it any more, as long as its content can be stored.
func (t *flights) keep(f *fill) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.background = f.background || f.shared && f.flow().kept()
}

// followed tells whether others wait for what the leader asked for.
func (t *flights) followed(f *fill) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return f.interested > 1
}

// unkept tells that a fill's content won't be stored: nobody may join it any more, and it needs somebody who reads it.
func (t *flights) unkept(f *fill) {
	t.mu.Lock()
	t.shut(f)
	f.background = false
	abort := f.interested == 0
	t.mu.Unlock()
	if abort {
		f.cancel()
	}
}

// detach lets nobody join a fill any more, and has it go on whoever leaves.
func (t *flights) detach(f *fill) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut(f)
	f.background = true
}

// leave ends a request's interest in a fill; leads tells that it began it, and may come twice. A fill that nobody wants any
// more, unless it is nearly done, is to be aborted.
func (t *flights) leave(f *fill, leads bool) (abort bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if leads && !f.led {
		return false
	}
	f.interested--
	f.led = f.led && !leads
	abort = f.interested == 0 && !f.background && !f.nearlyDone()
	if abort {
		t.shut(f)
	}
	return abort
}

// cancel ends all fills.
func (t *flights) cancel() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := range t.all {
		f.cancel()
	}
}

// abandoned tells whether a fill has no leader any more, and lets nobody join it.
func (t *flights) abandoned(f *fill) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut(f)
	return !f.led
}

// decided tells that a request which joined knows whether it may use what the fill brings.
func (t *flights) decided(f *fill) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.undecided--
	t.forget(f)
}

// remove forgets a fill that is over, with the last request that has to decide over it: until then no purge since its
// begin may be forgotten.
func (t *flights) remove(f *fill) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut(f)
	f.over = true
	t.forget(f)
}

func (t *flights) forget(f *fill) {
	if f.over && f.undecided == 0 {
		delete(t.all, f)
	}
}

func (t *flights) shut(f *fill) {
	if !f.offered {
		return
	}
	f.offered = false
	left := slices.DeleteFunc(t.open[f.key], func(other *fill) bool { return other == f })
	if len(left) == 0 {
		delete(t.open, f.key)
		return
	}
	t.open[f.key] = left
}

// doom keeps the fills of a key from being stored, or joined: what they bring was invalidated.
func (t *flights) doom(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := range t.all {
		if headKey(f.key) == key {
			f.doomed = true
		}
	}
}

// unlessDoomed calls add if what a fill brings wasn't invalidated, and lets nothing invalidate it meanwhile.
func (t *flights) unlessDoomed(f *fill, add func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !f.doomed {
		add()
	}
}

// oldest is the purge sequence at the begin of the oldest fill.
func (t *flights) oldest() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	oldest := uint64(math.MaxUint64)
	for f := range t.all {
		oldest = min(oldest, f.born)
	}
	return oldest
}

func (t *flights) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

// of counts the fills of a key that others may join.
func (t *flights) of(key string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.open[key])
}
