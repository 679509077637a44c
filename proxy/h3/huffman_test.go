package h3

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// agent is what a browser says of itself.
const agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

func TestHuffmanOfEachOctet(t *testing.T) {
	for i := range 256 {
		for _, s := range []string{string([]byte{byte(i)}), "a" + string([]byte{byte(i)}) + "z"} {
			checkHuffman(t, hpack.AppendHuffmanString(nil, s))
		}
	}
}

func TestHuffmanOfCommonFields(t *testing.T) {
	for _, s := range []string{"", "/", agent, "/assets/site.css?v=20261130", "gzip, deflate, br, zstd", "example.com", "en-GB,en;q=0.9"} {
		got, ok := appendHuffman(nil, hpack.AppendHuffmanString(nil, s))
		if !ok || string(got) != s {
			t.Errorf("%q: %q, %v", s, got, ok)
		}
	}
}

// checkHuffman compares with the library, which decides where the short way doesn't know.
func checkHuffman(t *testing.T, b []byte) {
	t.Helper()
	got, ok := appendHuffman([]byte("before"), b)
	if !ok {
		return
	}
	var want bytes.Buffer
	if _, err := hpack.HuffmanDecode(&want, b); err != nil || string(got) != "before"+want.String() {
		t.Errorf("%x: %q, want %q, %v", b, got, want.String(), err)
	}
}

func FuzzHuffman(f *testing.F) {
	for _, s := range []string{"", agent, "\x00\xff", strings.Repeat("~", 9)} {
		f.Add(hpack.AppendHuffmanString(nil, s))
	}
	f.Add([]byte("\xff"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Add([]byte("\x1f\xff"))
	f.Fuzz(func(t *testing.T, b []byte) { checkHuffman(t, b) })
}

func BenchmarkHuffman(b *testing.B) {
	code := hpack.AppendHuffmanString(nil, agent)
	b.Run("ours", func(b *testing.B) {
		var dst []byte
		for b.Loop() {
			dst, _ = appendHuffman(dst[:0], code)
		}
	})
	b.Run("hpack", func(b *testing.B) {
		var dst bytes.Buffer
		for b.Loop() {
			dst.Reset()
			_, _ = hpack.HuffmanDecode(&dst, code)
		}
	})
}
