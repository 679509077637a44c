package cache

import (
	"encoding/binary"
	"math"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// appendSliced appends what a Store keeps of a content in slices, behind the rest of the head's meta part.
func appendSliced(b []byte, c *sliced) []byte {
	b = binary.AppendUvarint(b, c.generation)
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(c.size)), uint64(c.slice))
	return appendText(b, c.validator.String())
}

// sliced reads what appendSliced appended. A head that nothing ties to its slices is none.
func (r *metaReader) sliced(fields block) *sliced {
	c := &sliced{generation: r.number(math.MaxUint64), size: int64(r.number(math.MaxInt64)), slice: int64(r.number(maxSlice))}
	text := r.text()
	if e, ok := httpfield.ParseETag(text); ok && !e.Weak {
		c.validator.etag = e
	} else {
		c.validator.modified = text
	}
	if c.size < 1 || c.slice < 1 || text == "" {
		r.fail()
	}
	c.encoding = joined(fields, "Content-Encoding")
	return c
}

// recordContent is what a Store keeps as the content of a response: that of a head is its slices, each of which is a
// record of its own.
func (s *Response) recordContent() Content {
	if s.Sliced() {
		return Pieces{}
	}
	return s.content
}

// isSlice tells slices from all else that is stored: nothing else has that status.
func (s *Response) isSlice() bool { return s.status == statusSlice }

// statusSlice is the status under which slices are stored. Their head has the one that clients get.
const statusSlice = 206

// recallSlice looks for a slice in the store; nil when that doesn't have it.
func (x *exchange) recallSlice(of *sliced, index int64) *Response {
	if x.c.tier == nil {
		return nil
	}
	key := of.appendKey(nil, x.key, index)
	for _, s := range x.c.recall(x.r.Context(), x.c.index.hash(key), key, true) {
		if s.isSlice() && s.length == of.span(index).Length && x.c.purges.alive(string(key), s) {
			return s
		}
	}
	return nil
}

// mayRecall tells from memory whether the store has a slice: false is certain.
func (c *Cache) mayRecall(of *sliced, head []byte, index int64) bool {
	return c.tier != nil && c.tier.store.Has(idOf(of.appendKey(nil, head, index)))
}
