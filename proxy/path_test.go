package proxy

import (
	"net/url"
	"strings"
	"testing"
)

func TestReadPath(t *testing.T) {
	tests := []struct{ target, strict, loose string }{
		{"/", "/", "/"},
		{"*", "/", "/"},
		{"/static/x.css", "/static/x.css", "/static/x.css"},
		{"/static/", "/static/", "/static/"}, // not looked at closely: nothing in it can confuse
		{"/a?b=%00", "/a", "/a"},
		{"/a%20b", "/a b", "/a b"},
		{"/caf%C3%A9", "/café", "/café"},
		{"//static///x", "/static/x", "/static/x"},
		{"/./static/./x", "/static/x", "/static/x"},
		{"/.well-known/x", "/.well-known/x", "/.well-known/x"},
		{"/a..b/...", "/a..b/...", "/a..b/..."},

		// Where origins differ.
		{"/static%2Faccount", "/static%2Faccount", "/static/account"},
		{"/static%252Faccount", "/static%2Faccount", "/static/account"},
		{"/static%25252Faccount", "/static%252Faccount", "/static/account"},
		{`/static\account`, `/static\account`, "/static/account"},
		{"/static%5caccount", `/static\account`, "/static/account"},
		{"/account;x=1/y", "/account;x=1/y", "/account/y"},
		{"/account%3bx.css", "/account;x.css", "/account"},
		{"/account%3fx.css", "/account?x.css", "/account"},
		{"/account%23/x.css", "/account#/x.css", "/account"},
		{"/%61%63count", "/account", "/account"},

		// Refused.
		{"/..", "", ""},
		{"/a/../b", "", ""},
		{"/a/%2e%2e/b", "", ""},
		{"/a/.%2E/b", "", ""},
		{"/a/%252e%252e/b", "", ""},
		{"/a/..%2fb", "", ""},
		{"/a/..%5cb", "", ""},
		{`/a\..\b`, "", ""},
		{"/a/..;/b", "", ""},
		{"/a/..%3b/b", "", ""},
		{"/a/..%3fb", "", ""},
		{"/a%253f/..%2fb", "", ""}, // behind what the loose reading cuts off
		{"/a%00.css", "", ""},
		{"/a%2500.css", "", ""},
		{"/a%0ab", "", ""},
		{"/a%7fb", "", ""},
	}
	for _, tt := range tests {
		strict, loose, ok := readPath(tt.target)
		if ok != (tt.strict != "") || strict != tt.strict || ok && loose != tt.loose {
			t.Errorf("%s: strict %q, loose %q, %v; want %q, %q", tt.target, strict, loose, ok, tt.strict, tt.loose)
		}
	}
}

// FuzzReadPath holds the argument of path.go: when both readings choose the same rule, so does every other way to read
// the path that an origin may have.
func FuzzReadPath(f *testing.F) {
	for _, seed := range []string{
		"/account/../static/x", "/static/..;/account", "/static%2f..%2faccount", "/a%252e%252e/b", `/static\account`,
		"/static/;/account", "//account", "/./account", "/account%3f/../static", "/a%253f/..%2fb", "/%2561ccount",
		"/account%23/x", "/account/users;a/b", "/static/%25%32%66account",
	} {
		f.Add(seed)
	}
	root := new(rule)
	s := &site{root: root, rules: map[string]*rule{}}
	for _, prefix := range []string{"/account", "/account/users", "/static", "/a", "/a/b"} {
		s.add(prefix, new(rule))
	}
	f.Fuzz(func(t *testing.T, target string) {
		if !strings.HasPrefix(target, "/") || strings.ContainsAny(target, "?#") {
			return
		}
		if _, err := url.ParseRequestURI(target); err != nil {
			return
		}
		strict, loose, ok := readPath(target)
		if !ok {
			return
		}
		want := s.match(strict)
		if s.match(loose) != want {
			return // refused as ambiguous
		}
		for _, reading := range readings(target) {
			if got := s.match(reading); got != want {
				t.Fatalf("%q: read as %q it has another rule than as %q", target, reading, strict)
			}
		}
	})
}

// readings are the ways to read a path: each combination of how often it is decoded, what separates segments, whether
// parameters and an encoded query are cut off, and whether dot segments are resolved.
func readings(path string) []string {
	var all []string
	for decodes := range 4 {
		for mask := range 16 {
			p := path
			for range decodes {
				p = decodeOnce(p)
			}
			if mask&1 != 0 {
				p = strings.ReplaceAll(p, `\`, "/")
			}
			if i := strings.IndexAny(p, "?#"); mask&2 != 0 && i >= 0 {
				p = p[:i]
			}
			all = append(all, resolve(p, mask&4 != 0, mask&8 != 0))
		}
	}
	return all
}

func decodeOnce(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b.WriteByte(fromHex(s[i+1])<<4 | fromHex(s[i+2]))
			i += 2
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func resolve(path string, cutParameters, resolveDots bool) string {
	var out []string
	for segment := range strings.SplitSeq(path, "/") {
		if cutParameters {
			segment, _, _ = strings.Cut(segment, ";")
		}
		switch {
		case segment == "", segment == ".":
		case resolveDots && segment == "..":
			out = out[:max(0, len(out)-1)]
		default:
			out = append(out, segment)
		}
	}
	return "/" + strings.Join(out, "/")
}

func FuzzDecodeFully(f *testing.F) {
	for _, seed := range []string{"%2525", "%25%32%35", "%%32%35", "%2%35", "%zz", "%", "a%2", "%25252525"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := s
		for next := decodeOnce(want); next != want; next = decodeOnce(want) {
			want = next
		}
		if got := decodeFully(s); got != want {
			t.Fatalf("%q: %q, want %q", s, got, want)
		}
	})
}
