package cache

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
)

// streamSource is a content that is still coming.
type streamSource struct {
	reader *streamReader
	ctx    context.Context // the request's
}

func (f *streamSource) seeks() bool    { return false }
func (f *streamSource) trailer() block { return f.reader.s.trailer }

func (f *streamSource) trailerNames() []string { return f.reader.s.trailerNames }

// writeAll ends with the stream, not with the last byte: only then the content is known to be complete.
func (f *streamSource) writeAll(x *exchange) error { return f.writeRange(x, 0, -1) }

// writeRange writes what comes, and flushes it whenever there is nothing more at the moment.
func (f *streamSource) writeRange(x *exchange, start, length int64) error {
	_, err := f.copyRange(x.w, start, length)
	return err
}

// copyRange is writeRange, and tells how much it wrote.
func (f *streamSource) copyRange(w http.ResponseWriter, start, length int64) (written int64, err error) {
	idle := func() { flush(w) }
	for pos := int64(0); written != length; {
		data, err := f.reader.next(f.ctx, idle)
		if errors.Is(err, io.EOF) {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		part := cut(data, start-pos, length-written)
		pos += int64(len(data))
		n, err := w.Write(part)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// cut drops the first skip bytes of a piece, and what is beyond length; no bound when that is negative.
func cut(data []byte, skip, length int64) []byte {
	data = data[min(max(skip, 0), int64(len(data))):]
	if length >= 0 {
		data = data[:min(length, int64(len(data)))]
	}
	return data
}

// copyFields copies an origin's header section, without what is meant for us alone.
func copyFields(dst, src http.Header) {
	nominated := nominatedFields(src)
	for name, lines := range src {
		if !isConnectionField(name) && !isSurrogateField(name) && !nominated[name] {
			if dst[name] == nil {
				dst[name] = slices.Clip(lines) // shared, and never changed
				continue
			}
			dst[name] = append(slices.Clip(dst[name]), lines...)
		}
	}
}

// addTrailer adds the trailer section once the content is written; those fields that were announced under their own
// names, others as net/http wants them. Without a flush a small content isn't chunked, and has no trailer section.
func addTrailer(w http.ResponseWriter, trailer block, announced []string) {
	if trailer == "" {
		return
	}
	flush(w)
	h := w.Header()
	for name, value := range trailer.fields() {
		if !slices.Contains(announced, name) {
			name = http.TrailerPrefix + name
		}
		h[name] = append(h[name], value)
	}
}

// flush sends what is buffered; a writer that can't has nothing buffered, and an error comes back with the next write.
func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

func trailerNames(t http.Header) []string {
	if len(t) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(t))
}
