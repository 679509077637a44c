package disk

import "errors"

// errTooLong is a content that is longer than it said.
var errTooLong = errors.New("content is longer than its size")

// chunker takes a content in pieces of any length and appends it in chunks with their checksums.
type chunker struct {
	w      *writer
	number uint64
	length int64  // that was announced
	total  int64  // bytes so far
	fill   int    // of the chunk
	sum    uint32 // of the chunk
}

// Write appends p.
func (c *chunker) Write(p []byte) (n int, err error) {
	if int64(len(p)) > c.length-c.total {
		return 0, errTooLong
	}
	for len(p) > 0 {
		if c.fill == 0 {
			c.sum = chunkSum(c.w.v.seed, c.number, c.total/chunkSize)
		}
		part := p[:min(len(p), chunkSize-c.fill)]
		c.w.buf = append(c.w.buf, part...)
		c.sum = crc(c.sum, part)
		c.fill, c.total, n, p = c.fill+len(part), c.total+int64(len(part)), n+len(part), p[len(part):]
		if c.fill == chunkSize {
			if err := c.end(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// end ends the chunk.
func (c *chunker) end() error {
	if c.fill == 0 {
		return nil
	}
	c.fill = 0
	c.w.buf = append(c.w.buf, byte(c.sum), byte(c.sum>>8), byte(c.sum>>16), byte(c.sum>>24))
	if len(c.w.buf) < aggregate {
		return nil
	}
	return c.w.spill()
}
