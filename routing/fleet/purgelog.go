package fleet

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

const (
	// keepPurges is how long a purge is kept for nodes that are away.
	keepPurges = 7 * 24 * time.Hour
	// trustWithin is how long a node may have heard nobody, and still take what it missed from the others' logs. The rest
	// of keepPurges is for clocks that differ.
	trustWithin = keepPurges - 24*time.Hour
	// maxPurges and maxPurgeBytes bound what is kept; the oldest go first.
	maxPurges     = 4096
	maxPurgeBytes = 16 << 20
)

// Purge is one purge, in the order of its stream.
type Purge struct {
	Stream  `json:"stream"`
	Number  uint64          `json:"number"` // from 1 on
	At      time.Time       `json:"at"`
	Request json.RawMessage `json:"request"` // the importer's
}

// purgeLog is what was purged lately, by the node that began it. It is not safe for concurrent use, and has no clock.
type purgeLog struct {
	streams map[Stream]*stream
	count   int
	bytes   int
}

// stream holds the purges kept to last, without gaps.
type stream struct {
	kept, last uint64
	at         time.Time // of the last one
	purges     []Purge
}

func newPurgeLog() *purgeLog { return &purgeLog{streams: map[Stream]*stream{}} }

// add takes the next purge of a stream, and refuses any other: one that is there already, or that has a gap before it.
func (l *purgeLog) add(p Purge) bool {
	s := l.streams[p.Stream]
	if p.Number != l.last(p.Stream)+1 {
		return false
	}
	if s == nil {
		s = &stream{kept: 1}
		l.streams[p.Stream] = s
	}
	s.last, s.at = p.Number, p.At
	s.purges = append(s.purges, p)
	l.count++
	l.bytes += len(p.Request)
	for l.count > maxPurges || l.bytes > maxPurgeBytes {
		l.dropOldest()
	}
	return true
}

func (l *purgeLog) dropOldest() {
	var oldest *stream
	for _, s := range l.streams {
		if len(s.purges) > 0 && (oldest == nil || s.purges[0].At.Before(oldest.purges[0].At)) {
			oldest = s
		}
	}
	l.drop(oldest)
}

func (l *purgeLog) drop(s *stream) {
	l.count--
	l.bytes -= len(s.purges[0].Request)
	s.purges = s.purges[1:]
	s.kept++
}

// last is the last purge of a stream that is here.
func (l *purgeLog) last(id Stream) uint64 {
	if s := l.streams[id]; s != nil {
		return s.last
	}
	return 0
}

// since are the purges of a stream from number on, of at most limit octets but at least one; gone says that some of them
// are no longer kept.
func (l *purgeLog) since(id Stream, number uint64, limit int) (list []Purge, gone bool) {
	s := l.streams[id]
	if s == nil {
		return nil, false
	}
	if number < s.kept {
		return nil, true
	}
	for _, p := range s.purges[min(number-s.kept, uint64(len(s.purges))):] {
		if limit -= len(p.Request); limit < 0 && len(list) > 0 {
			break
		}
		list = append(list, p)
	}
	return list, false
}

// skip is what a node does that has cleared everything: the purges of a stream before number no longer matter.
func (l *purgeLog) skip(m PurgeMark, number uint64) {
	s := l.streams[m.Stream]
	if s == nil {
		s = &stream{kept: 1}
		l.streams[m.Stream] = s
	}
	if s.last+1 >= number {
		return
	}
	for len(s.purges) > 0 {
		l.drop(s)
	}
	s.kept, s.last, s.at = number, number-1, m.At
}

// marks are what is here, by node and epoch, for the others to compare.
func (l *purgeLog) marks() []PurgeMark {
	var list []PurgeMark
	for id, s := range l.streams {
		if s.last > 0 {
			list = append(list, PurgeMark{Stream: id, Kept: s.kept, Last: s.last, At: s.at})
		}
	}
	slices.SortFunc(list, func(a, b PurgeMark) int { return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Epoch, b.Epoch)) })
	return list
}

// behind are the marks of another node for what is missing here. Streams that everybody forgets aren't missed.
func (l *purgeLog) behind(marks []PurgeMark, now time.Time) (list []PurgeMark) {
	for _, m := range marks {
		if m.Last > l.last(m.Stream) && now.Sub(m.At) < keepPurges {
			list = append(list, m)
		}
	}
	return list
}

// forget drops what is older than keepPurges: every node does, so nobody misses it but who was away for as long.
func (l *purgeLog) forget(now time.Time) {
	for id, s := range l.streams {
		for len(s.purges) > 0 && now.Sub(s.purges[0].At) >= keepPurges {
			l.drop(s)
		}
		if now.Sub(s.at) >= keepPurges {
			delete(l.streams, id)
		}
	}
}

// all are the purges that are kept, each stream's in its order.
func (l *purgeLog) all() (list []Purge) {
	for _, id := range slices.SortedFunc(maps.Keys(l.streams), func(a, b Stream) int { return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Epoch, b.Epoch)) }) {
		list = append(list, l.streams[id].purges...)
	}
	return list
}
