package disk

import (
	"context"
	"fmt"
	"time"
)

// aggregate is how much is written at once while more is waiting, in bytes.
const aggregate = 1 << 20

// writer appends records to the newest segment. It belongs to one goroutine, the only one that changes segments once
// the disk is open. A record is in the directory only after its last octet is written.
type writer struct {
	v      *volume
	seg    *segment // nil when the next record begins a new one
	buf    []byte   // not written yet
	start  int64    // where buf belongs
	ready  []ready  // complete records in buf
	found  scanned  // what is written to seg
	serial uint32   // of the newest segment
	number uint64   // of the newest record
	copies []byte   // see copy
}

// ready is a record that is complete in the buffer.
type ready struct {
	entry
	born uint64
	item *item // nil for a copy
	from place // what it is a copy of
}

// run writes what is queued until the queue is closed and empty, or ctx ends.
func (w *writer) run(ctx context.Context) {
	for ctx.Err() == nil {
		if i := w.v.queue.take(); i != nil {
			w.write(i)
			continue
		}
		w.flush()
		if w.v.queue.isClosed() {
			break
		}
		w.drain()
		_ = w.shrink(true) // the limit may have come down
		select {
		case <-w.v.queue.ready:
		case <-ctx.Done():
		}
	}
	w.end(ctx)
}

// end lets go of what is left, and seals the segment when there is time.
func (w *writer) end(ctx context.Context) {
	for i := w.v.queue.take(); i != nil; i = w.v.queue.take() {
		w.refuse(i)
	}
	w.flush()
	if ctx.Err() == nil {
		w.seal()
	}
}

// write writes one item, into the buffer at least.
func (w *writer) write(i *item) {
	if w.v.queue.isDeleted(i) || !w.v.writable() {
		w.refuse(i)
		return
	}
	r := &i.record
	h := head{id: r.ID, variant: r.Variant, born: r.Born, length: r.Content.Size(), key: len(r.Key), meta: len(r.Meta)}
	if !w.room(h.size()) {
		w.refuse(i)
		return
	}
	w.number++
	h.number = w.number
	h.text = textSum(w.v.seed, h.number, r.Key, r.Meta)
	begin := w.start + int64(len(w.buf))
	if err := w.append(&h, i, begin); err != nil {
		w.v.log.Debug("a record wasn't written", "key", r.Key, "error", err)
		w.rewind(begin)
		w.refuse(i)
		return
	}
	w.complete(ready{entry: w.entry(&h, begin), born: h.born, item: i})
}

// append appends a record to the buffer, which it writes as it fills.
func (w *writer) append(h *head, i *item, begin int64) error {
	w.buf = h.append(w.buf, w.v.seed, placeOf(w.seg.serial, begin))
	w.buf = append(append(w.buf, i.record.Key...), i.record.Meta...)
	c := chunker{w: w, number: h.number, length: h.length}
	n, err := i.record.Content.WriteRange(&c, 0, h.length)
	if err == nil && (n != h.length || c.total != h.length) {
		err = fmt.Errorf("content is %d of %d bytes", c.total, h.length)
	}
	if err == nil {
		err = c.end()
	}
	if err != nil {
		return err
	}
	w.finish(h)
	return nil
}

// finish appends trailer and padding.
func (w *writer) finish(h *head) {
	w.buf = h.appendTrailer(w.buf, w.v.seed)
	end := w.start + int64(len(w.buf))
	w.buf = append(w.buf, make([]byte, aligned(end)-end)...)
}

func (w *writer) entry(h *head, begin int64) entry {
	return entry{
		id: h.id, variant: h.variant, offset: uint32(begin / align), size: uint32(h.size() / align), head: headUnits(h.content()),
	}
}

// complete notes a record that is complete in the buffer.
func (w *writer) complete(r ready) {
	w.ready = append(w.ready, r)
	if len(w.buf) >= aggregate {
		w.flush()
	}
}

// rewind takes back what was appended from begin on.
func (w *writer) rewind(begin int64) {
	if w.seg == nil {
		return
	}
	if begin >= w.start {
		w.buf = w.buf[:begin-w.start]
		return
	}
	w.buf, w.start = w.buf[:0], begin
	if err := w.seg.file.Truncate(begin); err != nil {
		w.fail(err)
	}
}

// spill writes what is in the buffer; the records that are complete enter the directory.
func (w *writer) spill() error {
	if len(w.buf) == 0 {
		return nil
	}
	begun := time.Now()
	w.v.writing.Store(begun.UnixNano())
	_, err := w.seg.file.WriteAt(w.buf, w.start)
	w.v.writing.Store(0)
	if err != nil {
		w.fail(err)
		return err
	}
	w.written(time.Since(begun))
	w.start += int64(len(w.buf))
	w.buf = w.buf[:0]
	w.commit()
	return nil
}

// written notes that a write took so long.
func (w *writer) written(took time.Duration) {
	w.v.figures.writeTime.Add(int64(took))
	w.v.figures.writtenBytes.Add(uint64(len(w.buf)))
	if took > w.v.slow {
		w.v.writes.fault(w.v.log, "write", errSlow(took))
		return
	}
	w.v.writes.ok()
}

// flush is spill where the error, which fail took care of, doesn't matter.
func (w *writer) flush() { _ = w.spill() }

// commit enters the complete records into the directory.
func (w *writer) commit() {
	items, at := w.items()
	for n := range w.ready {
		w.seg.lower(w.ready[n].born)
		w.found.list = append(w.found.list, w.ready[n].entry)
	}
	w.v.queue.settle(items, func(n int) {
		r := &w.ready[at[n]]
		w.v.directory.put(r.id, r.variant, place{w.seg.serial, r.offset}, r.head)
	})
	for n := range w.ready {
		if r := &w.ready[n]; r.item == nil {
			w.v.directory.move(r.id, r.variant, r.from, place{w.seg.serial, r.offset})
		}
	}
	w.ready = w.ready[:0]
	w.v.figures.written.Add(uint64(len(items)))
	for _, i := range items {
		i.finish(true)
	}
}

// items are those of the complete records, and where these are in ready.
func (w *writer) items() (items []*item, at []int) {
	for n := range w.ready {
		if i := w.ready[n].item; i != nil {
			items, at = append(items, i), append(at, n)
		}
	}
	return items, at
}

// refuse lets go of items that aren't written. Their older versions go as well: nobody gets back what was replaced.
func (w *writer) refuse(items ...*item) {
	for _, i := range items {
		w.v.directory.hide(i.record.ID, i.record.Variant)
	}
	w.v.queue.settle(items, nil)
	w.v.figures.refused.Add(uint64(len(items)))
	for _, i := range items {
		i.finish(false)
	}
}

// fail gives up the segment after a write that went wrong. What was written to it before stays readable; a start walks
// it.
func (w *writer) fail(err error) {
	w.v.writes.fault(w.v.log, "write", err)
	items, _ := w.items()
	w.refuse(items...)
	w.ready, w.buf = w.ready[:0], w.buf[:0]
	w.seg.bytes.Store(w.start)
	_ = w.seg.file.Truncate(w.start) // what is left there costs room, and is no record
	w.seg = nil
}
