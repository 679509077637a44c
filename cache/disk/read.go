package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Why a content can't be read.
var (
	// ErrGone is a content that made room for others since it was loaded.
	ErrGone = errors.New("evicted")
	// ErrCorrupt is a content that isn't as it was stored.
	ErrCorrupt = errors.New("corrupt")
	// ErrResting is a disk that is left alone after faults, or closed.
	ErrResting = errors.New("the disk is out of use")
)

// headGuess is how much of a record is read at first when nothing says how long its head is, in bytes.
const headGuess = 4 << 10

// buffer holds what is read at once, mostly a chunk.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, chunkSize+crcSize)} }}

func newBuffer(n int) *buffer {
	if n > chunkSize+crcSize {
		return &buffer{b: make([]byte, n)}
	}
	b := buffers.Get().(*buffer)
	b.b = b.b[:n]
	return b
}

func (b *buffer) free() {
	if cap(b.b) == chunkSize+crcSize {
		b.b = b.b[:cap(b.b)]
		buffers.Put(b)
	}
}

// reading is one read that a reader carries out.
type reading struct {
	seg  *segment
	at   int64
	buf  *buffer
	more int64 // what will be needed of what follows
	n    int
	err  error
	done chan struct{} // has room for one
}

// readAhead is how much is prefetched at once, in bytes: several chunks, so that few reads wait for the disk.
const readAhead = 1 << 20

// readers are goroutines that wait for the disk, so many that no more than so many reads are under way, and that a
// disk that doesn't answer holds up nobody else. What the kernel has in memory is read without them.
type readers struct {
	v     *volume
	queue chan *reading
	since []atomic.Int64 // by reader: when its reading began, in Unix nanoseconds; 0 for none
}

// run carries out readings until the disk is closed.
func (r *readers) run(i int) {
	for {
		select {
		case q := <-r.queue:
			r.since[i].Store(time.Now().UnixNano())
			q.carryOut()
			r.since[i].Store(0)
		case <-r.v.life.Done():
			return
		}
	}
}

func (q *reading) carryOut() {
	next := q.at + int64(len(q.buf.b))
	q.n, q.err = q.seg.file.ReadAt(q.buf.b, q.at)
	if errors.Is(q.err, io.EOF) && q.n > 0 {
		q.err = nil
	}
	q.done <- struct{}{}
	if q.more > 0 {
		q.seg.file.Prefetch(next, min(q.more, readAhead))
	}
	q.seg.release()
}

// read reads up to n octets of a segment, of which more will be needed. Whoever gets a buffer frees it.
func (r *readers) read(stop <-chan struct{}, serial uint32, at int64, n int, more int64) (*buffer, error) {
	if !r.v.reads.allows() || r.v.life.Err() != nil {
		return nil, ErrResting
	}
	seg := r.v.segments.acquire(serial)
	if seg == nil {
		return nil, ErrGone
	}
	b := newBuffer(n)
	if seg.file.ReadCached(b.b, at) {
		seg.release()
		r.count(n)
		return b, nil
	}
	return r.await(stop, &reading{seg: seg, at: at, buf: b, more: more, done: make(chan struct{}, 1)})
}

// await hands a reading to a reader and waits. It gives up after Slow; the buffer then belongs to the reading, which
// may still be under way.
func (r *readers) await(stop <-chan struct{}, q *reading) (*buffer, error) {
	timer := time.NewTimer(r.v.slow)
	defer timer.Stop()
	var err error
	select {
	case r.queue <- q:
		return r.result(stop, timer.C, q)
	case <-timer.C:
		err = r.late()
	case <-stop:
		err = os.ErrDeadlineExceeded
	case <-r.v.life.Done():
		err = ErrResting
	}
	q.seg.release()
	q.buf.free()
	return nil, err
}

func (r *readers) result(stop <-chan struct{}, late <-chan time.Time, q *reading) (*buffer, error) {
	select {
	case <-q.done:
	case <-late:
		return nil, r.late()
	case <-stop:
		return nil, os.ErrDeadlineExceeded
	}
	if q.err != nil {
		q.buf.free()
		r.v.figures.readErrors.Add(1)
		r.v.reads.fault(r.v.log, "read", q.err)
		return nil, fmt.Errorf("read %s: %w", q.seg.path, q.err)
	}
	r.count(q.n)
	q.buf.b = q.buf.b[:q.n]
	return q.buf, nil
}

func (r *readers) count(n int) {
	r.v.reads.ok()
	r.v.figures.reads.Add(1)
	r.v.figures.readBytes.Add(uint64(n))
}

func (r *readers) late() error {
	err := errSlow(r.v.slow)
	r.v.figures.readErrors.Add(1)
	r.v.reads.fault(r.v.log, "read", err)
	return err
}

// watch looks for readings that don't end, which nobody may be waiting for any more.
func (r *readers) watch() {
	for i := range r.since {
		if begun := r.since[i].Load(); begun != 0 {
			if took := time.Since(time.Unix(0, begun)); took > r.v.slow {
				r.v.reads.fault(r.v.log, "read", errSlow(took))
			}
		}
	}
}

// errSlow is an operation that took so long.
func errSlow(took time.Duration) error {
	return fmt.Errorf("%w: no answer within %v", os.ErrDeadlineExceeded, took.Round(time.Millisecond))
}

// chunkOK tells whether b is the record's chunk, with its checksum.
func chunkOK(b []byte, s seed, number uint64, chunk int64) bool {
	n := len(b) - crcSize
	sum := crc(chunkSum(s, number, chunk), b[:n])
	return [crcSize]byte(b[n:]) == [crcSize]byte{byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24)}
}
