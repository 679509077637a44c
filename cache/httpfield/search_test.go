package httpfield_test

import (
	"testing"

	"github.com/anyedge/anyedge/cache/httpfield"
)

func TestParseNoVarySearch(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		v, ok := httpfield.ParseNoVarySearch(value)
		if got := v.String(); ok != (want != "") || ok && got != want {
			t.Errorf("%s: got %s, %v; want %s", value, got, ok, want)
		}
	}
	f("key-order", "key-order all with")
	f("key-order=?1;x", "key-order all with")
	f("params", "all but")
	f(`params=("a")`, "all with a")
	f(`params=("b" "a" "b";x)`, "all with a b")
	f(`params=("a+b" "%63" "100%")`, "all with 100%25 a+b c")
	f(`params, except=("id")`, "all but id")
	f(`except=("id"), params`, "all but id")
	f(`params, except=()`, "all but")
	f(`key-order, params=("a"), unknown=1`, "key-order all with a")
	f(`params=("a"), params=("b")`, "all with b")

	f("", "")
	f("key-order=?0", "")
	f("params=?0", "")
	f("params=()", "")
	f("key-order=1", "")
	f("params=a", "")
	f("params=(a)", "")
	f(`params=("a" 1)`, "")
	f(`except=("a")`, "")
	f(`params=("a"), except=("b")`, "")
	f(`params, except`, "")
	f(`params, except="a"`, "")
	f(`params=("a"`, "")
	f(`Params`, "")
}

func TestCanonicalQuery(t *testing.T) {
	f := func(field, query, want string) {
		t.Helper()
		v, ok := httpfield.ParseNoVarySearch(field)
		if got := string(v.AppendCanonical([]byte("?"), query)); !ok || got != "?"+want {
			t.Errorf("%s: %s: got %s, want %s", field, query, got, want)
		}
	}
	f("key-order", "b=2&a=1", "a=1&b=2")
	f("key-order", "b=2&a=2&b=1&a=1", "a=2&a=1&b=2&b=1") // the order of equals stays
	f("key-order", "a&&=x&", "=x&a=")
	f("key-order", "%62=%32&a=x+y%20z", "a=x+y+z&b=2")
	f("key-order", "a=%zz&b=%f", "a=%25zz&b=%25f")
	f(`params=("a")`, "b=2&a=1&c", "b=2&c=")
	f(`params=("a")`, "%61=1", "")
	f(`params=("a b")`, "a+b=1&a%20b=2&ab=3", "ab=3")
	f("params", "a=1", "")
	f(`params, except=("id")`, "x=1&id=2&y=3", "id=2")
	f("params", "", "")
}

func FuzzNoVarySearch(f *testing.F) {
	for _, seed := range []string{"key-order", `params=("a" "b%20"), key-order`, `params, except=("id")`, `params=("a";x=1)`} {
		f.Add(seed, "b=1&a=%20+&id=%zz")
	}
	f.Fuzz(func(t *testing.T, field, query string) {
		v, ok := httpfield.ParseNoVarySearch(field)
		if !ok {
			return
		}
		once := string(v.AppendCanonical(nil, query))
		if twice := string(v.AppendCanonical(nil, once)); twice != once {
			t.Errorf("%s: %q: %q, then %q", field, query, once, twice)
		}
	})
}
