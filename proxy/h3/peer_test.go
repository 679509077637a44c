package h3

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/quic-go/quic-go/quicvarint"
)

// FuzzUni: what a client says on a unidirectional stream of a known type is read to its end, or ends the connection for a
// reason.
func FuzzUni(f *testing.F) {
	for _, b := range []string{
		"\x00\x04\x00", "\x00\x04\x04\x06\x01\x08\x01\x07\x01\x00", "\x00\x04\x00\x80\x0f\x07\x00\x04\x00u=1", "\x00\x04\x00\x21\x40\x02ab\x0d\x01\x05",
		"\x01", "\x02\x20\x20", "\x02\x3f\x01", "\x03\x44\x7f\xff\x01\x40", "\x03\x80",
	} {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(b), controlBuffer)
		kind, err := readVarint(r)
		if want, _, errElsewhere := quicvarint.Parse(b); kind != want || (err == nil) != (errElsewhere == nil) {
			t.Fatalf("%x begins with %d, %v here; %d, %v elsewhere", b, kind, err, want, errElsewhere)
		}
		if err != nil || kind > streamDecoder {
			return
		}
		var c Conn
		var why *breach
		if err := c.readKnown(r, kind); !errors.As(err, &why) || why.code == 0 || why.what == "" {
			t.Errorf("%x ends with %v", b, err)
		}
		if _, err := r.ReadByte(); err == nil && why.code == codeClosedCritical || err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("%x: not read to its end", b)
		}
	})
}
