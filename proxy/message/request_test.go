package message_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/message"
)

// TestOctetsOfPseudoFields: what a pseudo-header field may not have is malformed whichever octet it is (RFC 9113, section 8.3.1;
// RFC 9114, section 4.3.1; RFC 3986), so that none reaches an origin over H1.
func TestOctetsOfPseudoFields(t *testing.T) {
	t.Parallel()
	const (
		letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		token   = letters + "!#$%&'*+-.^_`|~"
	)
	for _, c := range []struct {
		name, format string
		allowed      func(octet byte) bool
	}{
		{":method", "G%sT", func(o byte) bool { return strings.IndexByte(token, o) >= 0 }},
		{":scheme", "ht%stp", func(o byte) bool { return strings.IndexByte(letters+"+-.", o) >= 0 }},
		{":path", "/a%sb", func(o byte) bool { return o > ' ' && o != 0x7f }},
	} {
		for o := range 256 {
			if c.name == ":path" && o == '%' {
				continue // it begins an escape
			}
			fields := []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "example.com"}, {Name: ":path", Value: "/"}}
			value := fmt.Sprintf(c.format, string([]byte{byte(o)}))
			for i := range fields {
				if fields[i].Name == c.name {
					fields[i].Value = value
				}
			}
			r, err := message.NewRequest(2, fields)
			if want := c.allowed(byte(o)); (err == nil) != want {
				t.Errorf("%s %q: %v", c.name, value, err)
			} else if want && c.name == ":path" && r.RequestURI != value {
				t.Errorf("%q became %q", value, r.RequestURI)
			}
		}
	}
}

// TestSpaceAroundValues: it is no part of a value (RFC 9110, section 5.5).
func TestSpaceAroundValues(t *testing.T) {
	t.Parallel()
	r, err := message.NewRequest(3, []hpack.HeaderField{
		{Name: ":method", Value: "GET"},
		{Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "example.com"},
		{Name: ":path", Value: "/"},
		{Name: "x", Value: " one\t"},
		{Name: "x", Value: "\t"},
		{Name: "content-length", Value: " 5 "},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Header["X"]; !slices.Equal(got, []string{"one", ""}) || r.ContentLength != 5 {
		t.Errorf("%q, length %d", got, r.ContentLength)
	}
}

// TestFieldsThatCantBe: a response's line with a name or a value that is none is left out, and those beside it stay.
func TestFieldsThatCantBe(t *testing.T) {
	t.Parallel()
	var got []byte
	for name, values := range map[string][]string{"a b": {"1"}, "": {"2"}, "X": {"ok", "3\r\nset-cookie: x", "4\x00"}} {
		got = message.AppendField(got, name, values, message.AppendLower)
	}
	if string(got) != "x\x02ok" {
		t.Errorf("%q", got)
	}
}
