package disk

import (
	"math"
	"sync"

	"github.com/anyedge/anyedge/cache"
)

// itemOverhead is what a queued record takes of memory beside its meta and content, in bytes.
const itemOverhead = 256

// item is a record that waits to be written.
type item struct {
	record  cache.Record
	done    func(written bool)
	cost    int64 // in bytes of memory
	deleted bool  // or superseded; guarded by the queue's lock
}

func newItem(r cache.Record, done func(written bool)) *item {
	return &item{record: r, done: done, cost: r.Content.Size() + int64(len(r.Meta)+len(r.Key)) + itemOverhead}
}

// finish tells how it ended.
func (i *item) finish(written bool) {
	if i.done != nil {
		i.done(written)
	}
}

// queue holds what waits to be written, and what is being written: an item leaves it with settle.
type queue struct {
	limit int64
	ready chan struct{} // has room for one: there is something to take

	mu     sync.Mutex // guards the following fields
	list   []*item
	by     map[cache.ID][]*item
	bytes  int64
	closed bool
}

func newQueue(limit int64) *queue {
	return &queue{limit: limit, ready: make(chan struct{}, 1), by: make(map[cache.ID][]*item)}
}

// put appends an item; false when there is no room. One that is larger than the queue has room in an empty one. An
// older version of the record that waits too won't be written.
func (q *queue) put(i *item) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.bytes > 0 && q.bytes+i.cost > q.limit {
		return false
	}
	for _, older := range q.by[i.record.ID] {
		older.deleted = older.deleted || older.record.Variant == i.record.Variant
	}
	q.bytes += i.cost
	q.list = append(q.list, i)
	q.by[i.record.ID] = append(q.by[i.record.ID], i)
	q.wake()
	return true
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take returns the next item, nil for none.
func (q *queue) take() *item {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		return nil
	}
	i := q.list[0]
	q.list[0] = nil
	q.list = q.list[1:]
	return i
}

// settle takes items out for good. It calls enter for those that were not deleted meanwhile, so that a delete comes
// either before, and they aren't entered, or after, and finds them where they were entered.
func (q *queue) settle(items []*item, enter func(n int)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for n, i := range items {
		if enter != nil && !i.deleted {
			enter(n)
		}
		q.bytes -= i.cost
		q.forget(i)
	}
}

func (q *queue) forget(i *item) {
	list := q.by[i.record.ID]
	for n, o := range list {
		if o == i {
			list = append(list[:n:n], list[n+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(q.by, i.record.ID)
		return
	}
	q.by[i.record.ID] = list
}

// delete marks the items of an ID.
func (q *queue) delete(id cache.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, i := range q.by[id] {
		i.deleted = true
	}
}

// variants appends those of an ID's records that are in it. What the disk has of them isn't the newest version.
func (q *queue) variants(id cache.ID, found []uint64) []uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, i := range q.by[id] {
		found = append(found, i.record.Variant)
	}
	return found
}

func (q *queue) isDeleted(i *item) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return i.deleted
}

// oldest is the smallest Born in it.
func (q *queue) oldest() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	oldest := uint64(math.MaxUint64)
	for _, list := range q.by {
		for _, i := range list {
			oldest = min(oldest, i.record.Born)
		}
	}
	return oldest
}

// used is how many bytes it holds.
func (q *queue) used() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

// close lets nothing new in.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake()
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}
