package lab

import (
	"bytes"
	"io"
)

// pattern is content of any size that costs no memory, and where every octet depends on its place and on the size,
// so that a piece that is lost, doubled or swapped shows.
type pattern int64

// ReadAt fills p with the content at offset.
func (n pattern) ReadAt(p []byte, offset int64) (int, error) {
	if offset >= int64(n) {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), int64(n)-offset)]
	for i := range p {
		x := (uint64(offset) + uint64(i) + uint64(n)) * 0x9e3779b97f4a7c15
		p[i] = byte(x >> 56)
	}
	return len(p), nil
}

// Reader reads what Content holds, at no cost of memory.
func Reader(size int64) *io.SectionReader { return io.NewSectionReader(pattern(size), 0, size) }

// Content is what the origin serves at /bytes/size.
func Content(size int64) []byte {
	var b bytes.Buffer
	_, _ = io.Copy(&b, Reader(size)) // memory doesn't fail
	return b.Bytes()
}
