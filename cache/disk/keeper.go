package disk

import "time"

// measureEvery is how often the file system is asked for its free room.
const measureEvery = time.Second

// tidyEvery is how often notes are tidied at most.
const tidyEvery = 10 * time.Second

// keep measures the free room, watches the reads, and tidies the notes when that is worth it.
func (v *volume) keep() {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	tidied := time.Now()
	for {
		select {
		case <-tick.C:
			if v.released.Load() {
				continue // another process keeps it
			}
			v.measure()
			v.readers.watch()
			if time.Since(tidied) >= tidyEvery {
				tidied = time.Now()
				v.tidyNotes(false)
			}
		case <-v.life.Done():
			v.tidyNotes(true)
			return
		}
	}
}

// tidyNotes compacts the notes after a Forget, with all when they won't be used any more.
func (v *volume) tidyNotes(all bool) {
	if v.released.Load() || !v.untidy.Swap(false) {
		return
	}
	if err := v.notes.tidy(all); err != nil {
		v.untidy.Store(true)
		v.writes.fault(v.log, "tidy the notes", err)
	}
}

// measure keeps the floor: what the file system lacks is taken from the oldest segments, and until that has helped
// nothing is written.
func (v *volume) measure() {
	total, free, err := v.fs.Free(v.path)
	if err != nil {
		return // reads and writes will tell
	}
	spare := int64(free) - int64(v.minFree*float64(total))
	v.limit.Store(max(min(v.size, v.used()+spare), 0))
	if low := spare < 0; v.low.Swap(low) != low {
		v.log.Warn("free room on the disk", "enough", !low, "free", free, "total", total)
	}
	if spare < 0 {
		v.queue.wake()
	}
}

// forget lets notes go.
func (v *volume) forget(sequence uint64) {
	if v.notes.forget(sequence) {
		v.untidy.Store(true)
	}
}
