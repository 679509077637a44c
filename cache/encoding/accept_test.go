package encoding_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/anyedge/anyedge/cache/encoding"
)

var offer = []encoding.Coding{encoding.Brotli, encoding.Zstd, encoding.Gzip}

func accept(lines ...string) (a encoding.Accept) {
	for _, line := range lines {
		a.Add(line)
	}
	return a
}

// The rules of RFC 9110 §12.5.3, and the examples there.
func TestChoose(t *testing.T) {
	f := func(want encoding.Coding, lines ...string) {
		t.Helper()
		a := accept(lines...)
		if got := a.Choose(offer); got != want {
			t.Errorf("%q: got %s, want %s", lines, got, want)
		}
	}
	const (
		none = encoding.Identity
		br   = encoding.Brotli
		zstd = encoding.Zstd
		gzip = encoding.Gzip
	)
	// The section's examples.
	f(gzip, "compress, gzip")
	f(none, "")
	f(br, "*")
	f(none, "compress;q=0.5, gzip;q=0.0")
	f(gzip, "compress;q=0.5, gzip;q=1.0")
	f(gzip, "gzip;q=1.0, identity; q=0.5, *;q=0")

	// Without the field a client may be too old to know of codings.
	f(none)

	// What browsers and tools send.
	f(br, "gzip, deflate, br, zstd")
	f(br, "gzip, deflate, br")
	f(gzip, "gzip, deflate")
	f(none, "identity")
	f(none, "identity;q=1, *;q=0") // for ranges of media

	// Weights go before our preference, which goes before identity.
	f(gzip, "gzip, br;q=0.9, zstd;q=0.999")
	f(zstd, "br;q=0.1,zstd;q=0.101,gzip;q=0.001")
	f(gzip, "gzip;q=0.001")
	f(br, "gzip;q=0.5, br;q=0.5")
	f(br, "br;q=0.5, identity;q=0.5")
	f(none, "br;q=0.5, identity;q=0.501")
	f(none, "gzip;q=0.5, br;q=0, zstd;q=0, *;q=0.6")
	f(br, "gzip;q=0.5, *;q=0.6")
	f(gzip, "*;q=0, gzip")
	f(gzip, "br;q=0, zstd;q=0, *")

	// Several lines are one list, names and q are case-insensitive, x-gzip is gzip.
	f(br, "gzip", "br")
	f(gzip, "GZip")
	f(none, "gzip;Q=0")
	f(gzip, "x-gzip")
	f(gzip, "br\t;\tq=0.0 ,, gzip ; q=1")

	// What counts first.
	f(none, "gzip;q=0, gzip")
	f(none, "gzip;q=0, x-gzip")
	f(none, "*;q=0, *")

	// Identity comes where nothing else may, even if it is refused.
	f(none, "identity;q=0")
	f(none, "*;q=0")
	f(none, "deflate, identity;q=0")
	f(gzip, "identity;q=0, gzip;q=0.1")

	// A mistake says nothing.
	f(none, "gzip;q=2")
	f(none, "gzip;q=1.001")
	f(none, "gzip;q=0.1234")
	f(none, "gzip;q=.5")
	f(none, "gzip;q=")
	f(none, "gzip;q =1")
	f(none, "gzip;level=1")
	f(none, "gzip;q=1;level=1")
	f(none, "gzip br")
	f(none, `"gzip"`)
	f(none, "gzi", "gzipp", "brotli", "b r")
	f(br, "gzip;q=x, br")
}

func TestRefuses(t *testing.T) {
	f := func(want bool, lines ...string) {
		t.Helper()
		a := accept(lines...)
		if got := a.Refuses(encoding.Identity); got != want {
			t.Errorf("%q: got %v", lines, got)
		}
	}
	f(false)
	f(false, "gzip")
	f(false, "*")
	f(true, "identity;q=0")
	f(true, "gzip, *;q=0")
	f(false, "identity;q=0.001, *;q=0")
}

func TestAmong(t *testing.T) {
	all := encoding.SetOf(offer...)
	f := func(want string, lines ...string) {
		t.Helper()
		a := accept(lines...)
		if got := a.Among(all).String(); got != want {
			t.Errorf("%q: got %q, want %q", lines, got, want)
		}
	}
	f("")
	f("br, zstd, gzip", "gzip, deflate, br, zstd")
	f("br, zstd, gzip", "*")
	f("gzip", "gzip, *;q=0")
	f("br, zstd", "gzip;q=0, *;q=0.1")
	f("", "deflate", "identity")
}

func FuzzAccept(f *testing.F) {
	for _, seed := range []string{"", "gzip, br;q=0.5", "*;q=0, identity", `br;q="1"`, "gzip;q=1.000;a=b,,", "\x00;q=0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		a := accept(line)
		c := a.Choose(offer)
		if c != encoding.Identity && a.Refuses(c) {
			t.Errorf("%q: got %s, which is refused", line, c)
		}
		set := a.Among(encoding.SetOf(offer...))
		if c != encoding.Identity && !set.Has(c) {
			t.Errorf("%q: %s isn't among %s", line, c, set)
		}
		again := accept(set.String())
		if got := again.Among(encoding.SetOf(offer...)); got != set {
			t.Errorf("%q: %s became %s", line, set, got)
		}
	})
}

// What is remembered is the same as what is chosen anew, also beyond what is remembered.
func TestChooser(t *testing.T) {
	c := encoding.NewChooser(offer)
	for range 2 {
		for i := range 200 {
			line := fmt.Sprintf("gzip;q=0.%03d, br;q=0.1, identity;q=%d", i, i%2)
			a := accept(line)
			want := c.ChooseFor(&a)
			if got := c.Choose(line); got != want || got.Must != (i%2 == 0) || got.Accepted.Has(encoding.Zstd) {
				t.Errorf("%q: got %+v, want %+v", line, got, want)
			}
		}
	}
	var wg sync.WaitGroup
	c = encoding.NewChooser(offer)
	for i := range 8 {
		wg.Go(func() {
			for n := range 100 {
				if got := c.Choose(fmt.Sprintf("gzip, n%d", (n*i)%90)); got.Coding != encoding.Gzip {
					t.Errorf("got %s", got.Coding)
				}
			}
		})
	}
	wg.Wait()
}

func TestChooserAllocatesNothing(t *testing.T) {
	c := encoding.NewChooser(offer)
	for _, line := range []string{"gzip, deflate, br, zstd", strings.Repeat("gzip;q=0.1,", 10)} {
		if n := testing.AllocsPerRun(100, func() { c.Choose(line) }); n > 0 {
			t.Errorf("%q: %v allocations", line, n)
		}
	}
}

func BenchmarkChoose(b *testing.B) {
	c := encoding.NewChooser(offer)
	b.ReportAllocs()
	for b.Loop() {
		if c.Choose("gzip, deflate, br, zstd").Coding != encoding.Brotli {
			b.Fatal("not br")
		}
	}
}
