package cache

import "io"

// Content is a complete content in memory, in pieces.
type Content [][]byte

func (c Content) size() (n int64) {
	for _, piece := range c {
		n += int64(len(piece))
	}
	return n
}

// WriteRange writes length bytes from start on to w, without copying them.
func (c Content) WriteRange(w io.Writer, start, length int64) (written int64, err error) {
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
