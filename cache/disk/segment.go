package disk

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// segment is one file of the log.
type segment struct {
	serial uint32
	path   string
	file   file
	bytes  atomic.Int64  // what it takes of the disk
	oldest atomic.Uint64 // no record in it has a smaller Born
	live   atomic.Int64  // records that the directory has in it

	mu   sync.Mutex // guards the following fields
	refs int
	gone bool
}

// acquire keeps the file open until release; false when it is gone.
func (g *segment) acquire() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return false
	}
	g.refs++
	return true
}

func (g *segment) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refs--
	g.closeIdle()
}

// close closes the file once nobody reads it.
func (g *segment) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = true
	g.closeIdle()
}

func (g *segment) closeIdle() {
	if g.gone && g.refs == 0 && g.file != nil {
		g.file.Close()
		g.file = nil
	}
}

// lower notes the Born of a record that comes into it.
func (g *segment) lower(born uint64) {
	if born < g.oldest.Load() {
		g.oldest.Store(born)
	}
}

// newSegment makes a segment's file.
func (v *volume) newSegment(serial uint32) (*segment, error) {
	g := &segment{serial: serial, path: segmentName(v.path, serial)}
	f, err := v.fs.Open(g.path)
	if err != nil {
		return nil, err
	}
	g.file = f
	g.oldest.Store(math.MaxUint64)
	g.bytes.Store(v.segmentSize)
	if err = f.Truncate(0); err == nil {
		err = f.Allocate(v.segmentSize)
	}
	if err == nil {
		_, err = f.WriteAt(appendPrefix(nil, v.seed, serial), 0)
	}
	if err != nil {
		g.close()
		return nil, errors.Join(err, v.fs.Remove(g.path))
	}
	return g, nil
}

// drop removes a segment.
func (v *volume) drop(g *segment) {
	v.segments.remove(g)
	if err := v.fs.Remove(g.path); err != nil {
		v.writes.fault(v.log, "remove a segment", err)
	}
	g.close()
}

func segmentName(dir string, serial uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%08x.seg", serial))
}

// segmentSerial reads a file's name; false for what is none of ours.
func segmentSerial(name string) (serial uint32, ok bool) {
	if len(name) != 12 || filepath.Ext(name) != ".seg" {
		return 0, false
	}
	if _, err := fmt.Sscanf(name, "%08x.seg", &serial); err != nil || segmentName("", serial) != name {
		return 0, false
	}
	return serial, true
}

// readFull reads len(p) octets, all or an error.
func readFull(f io.ReaderAt, p []byte, at int64) error {
	n, err := f.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
