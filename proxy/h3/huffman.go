package h3

import (
	"encoding/binary"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// rootBits is how many bits of a Huffman code are looked up at a time: those of all that is common in fields, and of two
// short ones together.
const rootBits = 10

// coded are the one or two octets whose codes some bits begin with. Without any the first code is longer.
type coded struct {
	octets [2]byte
	first  uint8 // the length of the first code, in bits; 0: none
	all    uint8 // of both; of one: as first
}

// huffmanTable is the code of RFC 7541, appendix B, by the next rootBits bits. It isn't changed.
var huffmanTable = newHuffmanTable()

// newHuffmanTable asks the library's encoder for the code.
func newHuffmanTable() *[1 << rootBits]coded {
	var t [1 << rootBits]coded
	for i := range 256 {
		octet := string([]byte{byte(i)})
		length := uint64(hpack.HuffmanEncodeLength(strings.Repeat(octet, 8))) // of eight in octets is of one in bits
		if length > rootBits {
			continue
		}
		b := append(hpack.AppendHuffmanString(nil, octet), 0)
		code := (uint(b[0])<<8 | uint(b[1])) >> (16 - length)
		for rest := range uint(1) << (rootBits - length) {
			t[code<<(rootBits-length)|rest] = coded{octets: [2]byte{byte(i)}, first: uint8(length), all: uint8(length)}
		}
	}
	single := t
	for i := range t {
		if e := &t[i]; e.first > 0 {
			if next := single[i<<e.first&(1<<rootBits-1)]; next.first > 0 && e.first+next.first <= rootBits {
				e.octets[1], e.all = next.octets[0], e.first+next.first
			}
		}
	}
	return &t
}

// appendHuffman appends what b stands for. With false something isn't common about it, or it isn't Huffman's: then dst has
// some of it.
func appendHuffman(dst, b []byte) ([]byte, bool) {
	var bits uint64 // from the highest on
	var n uint8     // of them
	for {
		switch {
		case n >= rootBits:
		case len(b) >= 8:
			more := (63 - n) / 8 // octets; what is there of one more is put there again
			bits |= binary.BigEndian.Uint64(b) >> n
			n, b = n+8*more, b[more:]
		default:
			for ; n <= 56 && len(b) > 0; n += 8 {
				bits |= uint64(b[0]) << (56 - n)
				b = b[1:]
			}
		}
		e := &huffmanTable[bits>>(64-rootBits)]
		switch {
		case e.first == 0 || e.first > n:
			// What fills the last octet are the first bits of a code that doesn't come: ones.
			return dst, n < 8 && len(b) == 0 && bits == ^(^uint64(0)>>n)
		case e.all > e.first && e.all <= n:
			dst = append(dst, e.octets[0], e.octets[1])
			bits, n = bits<<(e.all&63), n-e.all
		default:
			dst = append(dst, e.octets[0])
			bits, n = bits<<(e.first&63), n-e.first
		}
	}
}
