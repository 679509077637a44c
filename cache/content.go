package cache

import "io"

// Content is a complete content, in memory as Pieces or on disk.
type Content interface {
	// Size is its length in bytes.
	Size() int64
	// WriteRange writes length bytes from start on to w. No byte reaches w that isn't known to be as it was stored;
	// where one isn't, the error says so, and what was written before it is right.
	WriteRange(w io.Writer, start, length int64) (written int64, err error)
}

// Pieces is a content in memory. It must not be changed.
type Pieces [][]byte

// Size is its length in bytes.
func (c Pieces) Size() (n int64) {
	for _, piece := range c {
		n += int64(len(piece))
	}
	return n
}

// WriteRange writes length bytes from start on to w, without copying them.
func (c Pieces) WriteRange(w io.Writer, start, length int64) (written int64, err error) {
	for _, piece := range c {
		if length <= 0 {
			break
		}
		if start >= int64(len(piece)) {
			start -= int64(len(piece))
			continue
		}
		part := piece[start:min(start+length, int64(len(piece)))]
		n, err := w.Write(part)
		written += int64(n)
		if err != nil {
			return written, err
		}
		start, length = 0, length-int64(len(part))
	}
	return written, nil
}
