package encoding_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/anyedge/anyedge/cache/encoding"
)

// decode reads what is encoded up to its end, or what there is of it.
func decode(c encoding.Coding, r io.Reader) ([]byte, error) {
	switch c {
	case encoding.Brotli:
		return io.ReadAll(brotli.NewReader(r))
	case encoding.Zstd:
		d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderConcurrency(1)) // as RFC 9659 bounds it
		if err != nil {
			return nil, err
		}
		defer d.Close()
		return io.ReadAll(d)
	}
	d, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(d)
}

// text is n octets that look like a page.
func text(n int) []byte {
	words := strings.Fields("the quick brown fox jumps over a lazy dog <div class= </div> {\"id\": 17, \"name\": null} =>")
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "%s %d ", words[r.IntN(len(words))], r.IntN(1000))
	}
	return b.Bytes()[:n]
}

func TestRoundTrip(t *testing.T) {
	for _, e := range []*encoding.Encoders{
		encoding.NewFastEncoders(), encoding.NewEncoders(encoding.Levels{Brotli: 11, Zstd: 22, Gzip: 9}),
	} {
		for _, c := range offer {
			for _, n := range []int{0, 1, 1 << 10, 100_000} {
				var out bytes.Buffer
				w := e.Get(c, &out)
				if _, err := w.Write(text(n)); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				w.Release()
				size := out.Len()
				if got, err := decode(c, &out); err != nil || !bytes.Equal(got, text(n)) {
					t.Errorf("%s of %d octets: %d octets came back, %v", c, n, len(got), err)
				}
				if n > 1 && size > n*3/4 {
					t.Errorf("%s of %d octets: %d octets", c, n, size)
				}
			}
		}
	}
}

// What was flushed can be decoded, although more comes.
func TestFlush(t *testing.T) {
	for _, c := range offer {
		var out bytes.Buffer
		e := encoding.NewFastEncoders()
		w := e.Get(c, &out)
		for i := range 3 {
			fmt.Fprintf(w, "piece %d;", i)
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			want := "piece 0;piece 1;piece 2;"[:8*(i+1)]
			if got, err := decode(c, bytes.NewReader(out.Bytes())); string(got) != want || err == nil {
				t.Errorf("%s: got %q, %v; want %q and that it isn't over", c, got, err, want)
			}
		}
		w.Release()
	}
}

// An encoder that was given back in the middle of a content begins the next one anew.
func TestReleaseUnfinished(t *testing.T) {
	e := encoding.NewFastEncoders()
	for _, c := range offer {
		for range 3 {
			w := e.Get(c, io.Discard)
			if _, err := w.Write(text(100_000)); err != nil {
				t.Fatal(err)
			}
			w.Release()
			var out bytes.Buffer
			w = e.Get(c, &out)
			io.WriteString(w, "whole")
			w.Close()
			w.Release()
			if got, err := decode(c, &out); string(got) != "whole" || err != nil {
				t.Errorf("%s: got %q, %v", c, got, err)
			}
		}
	}
}

func TestEncodersAtOnce(t *testing.T) {
	e := encoding.NewFastEncoders()
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			c, n := offer[i%len(offer)], 1000*i
			var out bytes.Buffer
			w := e.Get(c, &out)
			w.Write(text(n))
			w.Close()
			w.Release()
			if got, err := decode(c, &out); err != nil || !bytes.Equal(got, text(n)) {
				t.Errorf("%s of %d octets: %v", c, n, err)
			}
		})
	}
	wg.Wait()
}

func BenchmarkEncode(b *testing.B) {
	page := text(100_000)
	var o encoding.Options
	o.SetDefaults()
	for name, e := range map[string]*encoding.Encoders{"stored": encoding.NewEncoders(o.Levels), "fast": encoding.NewFastEncoders()} {
		for _, c := range offer {
			b.Run(name+"/"+c.String(), func(b *testing.B) {
				b.SetBytes(int64(len(page)))
				b.ReportAllocs()
				var out bytes.Buffer
				for b.Loop() {
					out.Reset()
					w := e.Get(c, &out)
					w.Write(page)
					w.Close()
					w.Release()
				}
				b.ReportMetric(float64(len(page))/float64(out.Len()), "ratio")
			})
		}
	}
}
