package disk

import "time"

// measureEvery is how often the file system is asked for its free room.
const measureEvery = time.Second

// keep measures the free room, and tidies the notes when that is worth it.
func (v *volume) keep() {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			v.measure()
		case <-v.tidy:
			v.tidyNotes()
		case <-v.life.Done():
			select {
			case <-v.tidy:
				v.tidyNotes()
			default:
			}
			return
		}
	}
}

func (v *volume) tidyNotes() {
	if err := v.notes.tidy(); err != nil {
		v.writes.fault(v.log, "tidy the notes", err)
	}
}

// measure keeps the floor: below it nothing is written, though what is there is served.
func (v *volume) measure() {
	total, free, err := v.fs.Free(v.path)
	if err != nil {
		return // reads and writes will tell
	}
	low := float64(free) < v.minFree*float64(total)
	if v.low.Swap(low) != low {
		v.log.Warn("free room on the disk", "enough", !low, "free", free, "total", total)
	}
}

// forget lets notes go.
func (v *volume) forget(sequence uint64) {
	if !v.notes.forget(sequence) {
		return
	}
	select {
	case v.tidy <- struct{}{}:
	default:
	}
}
