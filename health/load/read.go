package load

import (
	"io"
	"io/fs"
	"iter"
	"strconv"
	"strings"
)

// maxFile bounds what is read of a file; the longest, /proc/net/dev, has a line for each interface.
const maxFile = 1 << 20

// read returns the file at path, or nothing.
func (s *Sampler) read(path string) []byte {
	f, err := s.sources.FS.Open(path)
	if err != nil {
		return nil
	}
	defer func(f fs.File) { _ = f.Close() }(f)
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil
	}
	return b
}

// lines yields the lines of the file at path, without their ends.
func (s *Sampler) lines(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.Lines(string(s.read(path))) {
			if !yield(strings.TrimRight(line, "\n")) {
				return
			}
		}
	}
}

// number reads a file that is one number; "max" is none.
func (s *Sampler) number(path string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(string(s.read(path))), 64)
	return n, err == nil && n >= 0
}
