package h3

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/quic-go/qpack"
	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/message"
)

// encode encodes fields with another implementation.
func encode(t testing.TB, fields ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	e := qpack.NewEncoder(&b)
	for _, f := range fields {
		if err := e.WriteField(qpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// decodeElsewhere decodes with another implementation.
func decodeElsewhere(b []byte) (fields []qpack.HeaderField, err error) {
	next := qpack.NewDecoder().Decode(b)
	for {
		f, err := next()
		if errors.Is(err, io.EOF) {
			return fields, nil
		}
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
}

func TestDecodeEveryStaticEntry(t *testing.T) {
	for i, want := range staticTable {
		var s section
		b := message.AppendInteger([]byte(sectionStart), 0xc0, 6, i)
		elsewhere, err := decodeElsewhere(b)
		if err != nil || elsewhere[0].Name != want.Name || elsewhere[0].Value != want.Value {
			t.Errorf("%d is %v, %v; the table has %v", i, elsewhere, err, want)
		}
		if err := s.decode(b, 1<<10); err != nil || s.list[0] != want {
			t.Errorf("%d: %v, %v", i, s.list, err)
		}
	}
}

func TestDecodeAnothersFields(t *testing.T) {
	long := strings.Repeat("long ", 500)
	fields := [][2]string{
		{":method", "GET"},
		{":path", "/a?b=c"},
		{":authority", "example.com"},
		{"user-agent", "a browser"},
		{"x-own", ""},
		{"x-own", "\x80\xff"},
		{"cookie", long},
		{strings.Repeat("x", 300), "y"},
		{"accept", "*/*"},
	}
	var s section
	for range 2 { // it is used again
		if err := s.decode(encode(t, fields...), 64<<10); err != nil || len(s.list) != len(fields) {
			t.Fatalf("%v, %v", s.list, err)
		}
		for i, f := range s.list {
			if f.Name != fields[i][0] || f.Value != fields[i][1] {
				t.Errorf("%d: %v, want %v", i, f, fields[i])
			}
		}
	}
}

// What refers to a dynamic table, and what isn't whole, is refused.
func TestDecodeRefuses(t *testing.T) {
	for name, b := range map[string]string{
		"nothing":                      "",
		"half a prefix":                "\x00",
		"a required insert count":      "\x02\x00\xd1",
		"a base below zero":            "\x00\x80\xd1",
		"a dynamic index":              "\x00\x00\x80",
		"an index past the table":      "\x00\x00\xff\x24",
		"a name in the dynamic table":  "\x00\x00\x40\x01a",
		"a name past the table":        "\x00\x00\x5f\x54\x01a",
		"an index behind the base":     "\x00\x00\x10",
		"a name behind the base":       "\x00\x00\x00\x01a",
		"a name alone":                 "\x00\x00\x51",
		"half a value":                 "\x00\x00\x51\x02a",
		"half a literal name":          "\x00\x00\x22a",
		"a literal name and no value":  "\x00\x00\x21a",
		"an integer without its end":   "\x00\x00\xff\xff\xff",
		"an integer that has no bound": "\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
		"padding that isn't Huffman's": "\x00\x00\x51\x81\x00",
	} {
		t.Run(name, func(t *testing.T) {
			if err := new(section).decode([]byte(b), 1<<10); !errors.Is(err, errQPACK) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestDecodeLimit(t *testing.T) {
	b := encode(t, [2]string{"x-a", "12345"}, [2]string{"x-b", "1234"})
	size := int64(2*32 + 3 + 5 + 3 + 4) // RFC 9114, section 4.2.2
	if err := new(section).decode(b, size); err != nil {
		t.Error(err)
	}
	if err := new(section).decode(b, size-1); !errors.Is(err, errTooLarge) {
		t.Errorf("error %v", err)
	}
}

func TestEncodedIsUnderstood(t *testing.T) {
	b := []byte(sectionStart)
	b = appendStatus(b, 200)
	b = appendStatus(b, 418)
	b = appendLines(b, "Content-Type: text/html\r\nX-Own: a: b\r\nEtag: \"1\"\r\n")
	b = appendNumber(b, "Age", 1<<40)
	b = appendField(b, "Link", []string{"", strings.Repeat("x", 200)})
	got, err := decodeElsewhere(b)
	want := []qpack.HeaderField{
		{Name: ":status", Value: "200"},
		{Name: ":status", Value: "418"},
		{Name: "content-type", Value: "text/html"},
		{Name: "x-own", Value: "a: b"},
		{Name: "etag", Value: `"1"`},
		{Name: "age", Value: "1099511627776"},
		{Name: "link"},
		{Name: "link", Value: strings.Repeat("x", 200)},
	}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v, %v", got, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
}

// FuzzDecode compares with another implementation: what both take is the same. Ours takes no more.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x00\x00\xd1\xc1\x50\x0bexample.com"))
	f.Add([]byte("\x00\x00\x27\x00abcdefg\x01v"))
	f.Add(encode(f, [2]string{"user-agent", "huffman"}, [2]string{"x", "y"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s section
		if s.decode(b, 1<<20) != nil || b[1] != 0 { // RFC 9204, section 4.5.1.2, lets a base be anything that isn't used
			return
		}
		want, err := decodeElsewhere(b)
		if err != nil || len(want) != len(s.list) {
			t.Fatalf("%v here; %v, %v elsewhere", s.list, want, err)
		}
		for i, f := range s.list {
			if (hpack.HeaderField{Name: want[i].Name, Value: want[i].Value}) != (hpack.HeaderField{Name: f.Name, Value: f.Value}) {
				t.Errorf("%v here, %v elsewhere", f, want[i])
			}
		}
	})
}
