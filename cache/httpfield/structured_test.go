package httpfield_test

import (
	"slices"
	"testing"

	"github.com/anyedge/anyedge/cache/httpfield"
)

func TestParseDictionary(t *testing.T) {
	type member = httpfield.Member
	const other, boolean, integer, text, token = httpfield.KindOther, httpfield.KindBoolean, httpfield.KindInteger, httpfield.KindString, httpfield.KindToken
	for _, tt := range []struct {
		value string
		want  []member
	}{
		{"", nil},
		{"  a  ", []member{{Key: "a", Kind: boolean, Int: 1}}},
		{"a=?0, b=?1", []member{{Key: "a", Kind: boolean}, {Key: "b", Kind: boolean, Int: 1}}},
		{"a=1,\tb=-999999999999999", []member{{Key: "a", Kind: integer, Int: 1}, {Key: "b", Kind: integer, Int: -999999999999999}}},
		{`a="x\"\\y"`, []member{{Key: "a", Kind: text, Str: `x"\y`}}},
		{"a=*x:/y", []member{{Key: "a", Kind: token, Str: "*x:/y"}}},
		{"*a_-.1=b", []member{{Key: "*a_-.1", Kind: token, Str: "b"}}},
		{"a=1.5, b=:YQ==:, c=@1659578233, d=%\"x\", e=(1 \"b\";p c);q", []member{{Key: "a"}, {Key: "b"}, {Key: "c"}, {Key: "d"}, {Key: "e", Kind: httpfield.KindInnerList, Str: `1 "b";p c`}}},
		{"a=1;x;y=2; z=\"q\", b", []member{{Key: "a", Kind: integer, Int: 1}, {Key: "b", Kind: boolean, Int: 1}}},
		{"a=1, b=2, a=3", []member{{Key: "a", Kind: integer, Int: 3}, {Key: "b", Kind: integer, Int: 2}}},
	} {
		got, ok := httpfield.ParseDictionary(tt.value)
		for i := range got {
			if got[i].Kind == other {
				got[i] = member{Key: got[i].Key}
			}
		}
		if !ok || !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %+v, %v", tt.value, got, ok)
		}
	}
	for _, value := range []string{
		",", "a,", "a,,b", "a b", "A", "1", "a=", "a= 1", "a =1", "a=1;", "a=1;B", "a=1;b=", "a=1234567890123456", "a=-", "a=1.", "a=1.2345",
		"a=1234567890123.1", "a=?2", "a=?", `a="x`, `a="\n"`, "a=\"\x7f\"", "a=:YQ", "a=:!:", "a=@1.5", "a=@", "a=%x", "a=(1", "a=(1\"b\")", "a=(A=1)", "a=\"x\"y",
		"\ta", "a=é",
	} {
		if got, ok := httpfield.ParseDictionary(value); ok {
			t.Errorf("%q: parsed as %+v", value, got)
		}
	}
}

func TestParseList(t *testing.T) {
	type member = httpfield.Member
	for _, tt := range []struct {
		value string
		want  []member
	}{
		{"", nil},
		{` "a" , "b";x=1,c`, []member{{Kind: httpfield.KindString, Str: "a"}, {Kind: httpfield.KindString, Str: "b"}, {Kind: httpfield.KindToken, Str: "c"}}},
		{"1, (a b);c, ?1", []member{{Kind: httpfield.KindInteger, Int: 1}, {Kind: httpfield.KindInnerList, Str: "a b"}, {Kind: httpfield.KindBoolean, Int: 1}}},
		{`"a", "a"`, []member{{Kind: httpfield.KindString, Str: "a"}, {Kind: httpfield.KindString, Str: "a"}}},
	} {
		if got, ok := httpfield.ParseList(tt.value); !ok || !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %+v, %v", tt.value, got, ok)
		}
	}
	for _, value := range []string{",", `"a",`, `"a" "b"`, `"a`, "a=1", "(a", "é", `"a";B`, "a,,b"} {
		if got, ok := httpfield.ParseList(value); ok {
			t.Errorf("%q: parsed as %+v", value, got)
		}
	}
}

func FuzzParseList(f *testing.F) {
	for _, seed := range []string{`"a", "b";x`, "(1 2);c, :YQ==:", "@1, %\"x\", 1.5, ?0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		members, ok := httpfield.ParseList(value)
		if !ok && members != nil || ok && len(members) > len(value) {
			t.Errorf("%q: %d members, %v", value, len(members), ok)
		}
	})
}

func FuzzParseDictionary(f *testing.F) {
	for _, seed := range []string{"max-age=60;p, no-store", `a="\"", b=(1 2);c, d=:YQ==:`, "a=@1, b=%\"x\", c=1.5, d=?0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		members, ok := httpfield.ParseDictionary(value)
		if !ok && members != nil {
			t.Errorf("%q: invalid, with members", value)
		}
		for i, m := range members {
			if m.Key == "" || slices.ContainsFunc(members[:i], func(o httpfield.Member) bool { return o.Key == m.Key }) {
				t.Errorf("%q: key %q", value, m.Key)
			}
		}
		httpfield.ParseTargeted(value)
	})
}
