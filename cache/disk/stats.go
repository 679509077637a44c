package disk

import (
	"sync/atomic"
	"time"
)

// figures count what happened to a disk since the start.
type figures struct {
	written, refused, evicted, kept, corrupt, reads, readErrors atomic.Uint64
	writtenBytes, readBytes                                     atomic.Uint64
	writeTime                                                   atomic.Int64 // in nanoseconds
}

// State is what a disk does.
type State string

// The states of a disk.
const (
	OK      State = "ok"
	Loading State = "loading" // as ok; what is found later is served later
	Full    State = "full"    // serves, and doesn't write: the file system's floor is reached, or it has no room
	Failing State = "failing" // serves, and doesn't write: a write failed or took too long lately
	Resting State = "resting" // does nothing: reads failed or took too long lately
)

// Stats are a disk's figures.
type Stats struct {
	Disk   string `json:"disk"` // its path
	State  State  `json:"state"`
	Reason string `json:"reason,omitempty"` // of the state

	Bytes    int64 `json:"bytes"`    // on the disk, room that is reserved included
	Size     int64 `json:"size"`     // the most that it may be
	Segments int   `json:"segments"` // files
	Records  int64 `json:"records"`
	Memory   int64 `json:"memory"` // that the directory and the queue hold, in bytes
	Queue    int64 `json:"queue"`  // that waits to be written, in bytes

	Written      uint64 `json:"written"`       // records
	WrittenBytes uint64 `json:"written_bytes"` // with heads and copies
	Refused      uint64 `json:"refused"`       // records that were offered and not written
	Evicted      uint64 `json:"evicted"`       // records that made room for others
	Kept         uint64 `json:"kept"`          // records that eviction copied because they were read
	Reads        uint64 `json:"reads"`         // of heads and chunks
	ReadBytes    uint64 `json:"read_bytes"`
	ReadErrors   uint64 `json:"read_errors"` // too late, or failed
	Corrupt      uint64 `json:"corrupt"`     // records that failed their checksum, and are forgotten

	WriteTime time.Duration `json:"write_time"` // in writes, since the start
}

// Stats returns each disk's figures.
func (s *Store) Stats() []Stats {
	all := make([]Stats, 0, len(s.volumes))
	for _, v := range s.volumes {
		all = append(all, v.stats())
	}
	return all
}

func (v *volume) stats() Stats {
	f := &v.figures
	records, queue := v.directory.records.Load(), v.queue.used()
	s := Stats{
		Disk: v.path, Bytes: v.used(), Size: v.size, Segments: len(v.segments.list()), Records: records,
		Memory: records*slotCost + queue, Queue: queue, Written: f.written.Load(), WrittenBytes: f.writtenBytes.Load(),
		Refused: f.refused.Load(), Evicted: f.evicted.Load(), Kept: f.kept.Load(), Reads: f.reads.Load(),
		ReadBytes: f.readBytes.Load(), ReadErrors: f.readErrors.Load(), Corrupt: f.corrupt.Load(),
		WriteTime: time.Duration(f.writeTime.Load()),
	}
	s.State, s.Reason = v.state()
	return s
}

func (v *volume) state() (State, string) {
	if err := v.reads.reason(); err != nil {
		return Resting, err.Error()
	}
	if err := v.writes.reason(); err != nil {
		if isFull(err) {
			return Full, err.Error()
		}
		return Failing, err.Error()
	}
	if begun := v.writing.Load(); begun != 0 && time.Since(time.Unix(0, begun)) > v.slow {
		return Failing, "a write doesn't end"
	}
	switch {
	case v.low.Load():
		return Full, "the file system has less free room than min_free"
	case !v.loading.over():
		return Loading, ""
	}
	return OK, ""
}
