package cache

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// firstChunk and maxChunk are the sizes of the pieces that a content of unknown length comes in, in bytes: small
	// ones waste little of a small content, large ones are few.
	firstChunk = 4 << 10
	maxChunk   = 256 << 10
	// streamWindow is how far the origin may be ahead of the slowest reader once the content isn't kept, in bytes.
	streamWindow = 512 << 10
	// laggardGrace is how long the others wait for a reader that holds them up.
	laggardGrace = time.Second
)

// errLagged ends a reader that held up the others for too long.
var errLagged = errors.New("read the content: too slow to share it")

// stream is a content as it comes: pieces that one writer appends to, and any number of readers follow at their own
// pace. While it is kept, to be stored, the writer waits for nobody. Once let go of, what all readers have passed is
// free, and the writer waits for the slowest; a single reader may take its time, one of many only laggardGrace.
type stream struct {
	budget *budget

	mu      sync.Mutex // guards the following fields
	head    *chunk     // nil once the content isn't kept
	tail    *chunk
	passing *chunk // once it isn't kept: the oldest whose memory was not used again
	lagging int    // readers that lagged, and may still be at work on what they got
	size    int64  // bytes written
	held    int64  // bytes reserved of the budget
	prepaid int64  // of them, not yet in chunks
	readers map[*streamReader]struct{}
	leader  *streamReader // of the request that leads the fill
	done    bool
	err     error // how it ended, nil when complete
	trailer block // set by the writer before the end, read after it

	trailerNames []string      // those that were announced
	grown        chan struct{} // closed when there is more for a reader that waits, nil when none does
	passed       chan struct{} // closed when a reader made room for the writer, nil when it doesn't wait
}

// chunk is one piece; data grows up to its capacity. It is written once if the content is kept; else its memory is used
// again when every reader is done with it.
type chunk struct {
	data   []byte
	number int
	next   *chunk
}

func newStream(b *budget) *stream {
	first := new(chunk)
	return &stream{budget: b, head: first, tail: first, readers: make(map[*streamReader]struct{})}
}

// prepay reserves memory for a content of that length; false when there is none.
func (s *stream) prepay(length int64) bool {
	if !s.budget.reserve(length) {
		return false
	}
	s.held, s.prepaid = length, length
	return true
}

// attach returns a reader from the first byte on, or nil when that is no longer kept.
func (s *stream) attach() *streamReader {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.head == nil {
		return nil
	}
	r := &streamReader{s: s, at: s.head}
	s.readers[r] = struct{}{}
	return r
}

// space returns where the writer may write next. It waits for readers when the content isn't kept.
func (s *stream) space(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.head == nil {
		if err := s.awaitReaders(ctx); err != nil {
			return nil, err
		}
	}
	if len(s.tail.data) == cap(s.tail.data) {
		s.extend()
	}
	return s.tail.data[len(s.tail.data):cap(s.tail.data)], nil
}

// extend adds a chunk, and lets go of the content when there is no memory left for it.
func (s *stream) extend() {
	size := int64(min(max(2*cap(s.tail.data), firstChunk), maxChunk))
	if s.prepaid > 0 {
		size = min(s.prepaid, maxChunk)
		s.prepaid -= size
	} else if s.head != nil && !s.pay(size) {
		s.letGo()
	}
	next := &chunk{data: s.memory(size), number: s.tail.number + 1}
	s.tail.next = next
	s.tail = next
}

// memory returns that of a chunk that passed, or new one.
func (s *stream) memory(size int64) []byte {
	for s.passing != nil && s.passing != s.tail && s.allBeyond(s.passing) {
		passed := s.passing.data[:0]
		s.passing.data, s.passing = nil, s.passing.next
		if int64(cap(passed)) >= size {
			return passed
		}
	}
	return make([]byte, 0, size)
}

// allBeyond tells whether no reader can be at work on what it got of that chunk: each has come back for a later one.
func (s *stream) allBeyond(c *chunk) bool {
	for r := range s.readers {
		if r.at.number <= c.number {
			return false
		}
	}
	return s.lagging == 0
}

func (s *stream) pay(size int64) bool {
	if !s.budget.reserve(size) {
		return false
	}
	s.held += size
	return true
}

// letGo stops keeping the content. The lock is held.
func (s *stream) letGo() {
	if s.head != nil {
		s.passing, s.head = s.head, nil
	}
	s.release()
}

func (s *stream) release() {
	s.budget.release(s.held)
	s.held, s.prepaid = 0, 0
}

// drop stops keeping the content.
func (s *stream) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letGo()
}

// kept tells whether the content is kept so far.
func (s *stream) kept() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head != nil
}

// wrote appends n bytes, which the writer has put where space said, and returns the size.
func (s *stream) wrote(n int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.append(n)
	wake(&s.grown)
	return s.size
}

func (s *stream) append(n int) {
	s.tail.data = s.tail.data[:len(s.tail.data)+n]
	s.size += int64(n)
}

// end appends the last n bytes and ends the content: complete when err is nil.
func (s *stream) end(n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.append(n)
	s.done, s.err = true, err
	s.release()
	wake(&s.grown)
}

// content returns what is kept, with the n bytes that end is about to append; nil when nothing is kept. The last piece
// is copied when that saves much.
func (s *stream) content(n int) (c Pieces) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.head == nil {
		return nil
	}
	c = Pieces{}
	for at := s.head; at != nil; at = at.next {
		data := at.data
		if at == s.tail {
			data = data[:len(data)+n]
		}
		if len(data) > 0 {
			c = append(c, trim(data))
		}
	}
	return c
}

// trim copies a piece whose slack is more than an eighth.
func trim(data []byte) []byte {
	if cap(data)-len(data) > cap(data)/8 {
		return append(make([]byte, 0, len(data)), data...)
	}
	return data[:len(data):len(data)]
}

// awaitReaders waits until the slowest reader is near. The lock is held, except while it waits.
func (s *stream) awaitReaders(ctx context.Context) error {
	for {
		slowest := s.slowest()
		if slowest == nil || s.size-slowest.pos <= streamWindow {
			return nil
		}
		if err := s.awaitPassed(ctx, len(s.readers) > 1); err != nil {
			return err
		}
		if s.passed != nil { // nobody moved during the grace
			slowest.lagged = true
			s.lagging++
			delete(s.readers, slowest)
			s.passed = nil
			wake(&s.grown)
		}
	}
}

// awaitPassed waits until a reader has moved, at most for the grace when limited.
func (s *stream) awaitPassed(ctx context.Context, limited bool) error {
	passed := make(chan struct{})
	s.passed = passed
	s.mu.Unlock()
	defer s.mu.Lock()
	var grace <-chan time.Time
	if limited {
		timer := time.NewTimer(laggardGrace)
		defer timer.Stop()
		grace = timer.C
	}
	select {
	case <-passed:
	case <-grace:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (s *stream) slowest() (slowest *streamReader) {
	for r := range s.readers {
		if slowest == nil || r.pos < slowest.pos {
			slowest = r
		}
	}
	return slowest
}

// wake closes the channel that somebody waits on.
func wake(ch *chan struct{}) {
	if *ch != nil {
		close(*ch)
		*ch = nil
	}
}
