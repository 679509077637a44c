package cache

import (
	"net/http"
	"testing"

	"github.com/anyedge/anyedge/cache/encoding"
	"github.com/anyedge/anyedge/cache/httpfield"
)

func testCoder() *coder {
	var o encoding.Options
	o.SetDefaults()
	return newCoder(&o)
}

func TestUnfit(t *testing.T) {
	k := testCoder()
	f := func(want skip, status int, length int64, fields ...string) {
		t.Helper()
		h := http.Header{"Content-Type": {"text/html; charset=utf-8"}}
		for i := 0; i < len(fields); i += 2 {
			h[fields[i]] = append(h[fields[i]], fields[i+1])
		}
		if got := k.unfit(status, header(h), length); got != want {
			t.Errorf("%d, %d octets, %q: got %q, want %q", status, length, fields, got, want)
		}
	}
	f("", 200, 5000)
	f("", 200, -1)
	f("", 404, 5000)
	f("", 500, 5000)
	f("", 200, k.min)
	f("", 200, k.max)
	f("", 200, 5000, "Content-Encoding", "identity")
	f("", 200, 5000, "Content-Encoding", "")
	f("", 200, 5000, "Cache-Control", `private="no-transform"`)
	f("", 200, 5000, "Set-Cookie", "a=b")

	f(skipSmall, 200, k.min-1)
	f(skipSmall, 200, 0)
	f(skipLarge, 200, k.max+1)
	for _, status := range []int{204, 205, 206, 304} {
		f(skipType, status, 5000)
	}
	f(skipType, 416, 5000, "Content-Range", "bytes */5")
	f(skipType, 200, 5000, "Content-Type", "text/plain")
	f(skipEncoded, 200, 5000, "Content-Encoding", "gzip")
	f(skipEncoded, 200, 5000, "Content-Encoding", "identity", "Content-Encoding", "x-own")
	f(skipNoTransform, 200, 5000, "Cache-Control", "max-age=60", "Cache-Control", "No-Transform")
	f(skipNoTransform, 200, 5000, "Cache-Control", "no-transform=1")
	for _, name := range digests {
		f(skipDigest, 200, 5000, name, "x")
	}
}

func TestEntityTagsOfForms(t *testing.T) {
	f := func(tag, want string) {
		t.Helper()
		e, _ := httpfield.ParseETag(tag)
		form := suffixed(e, encoding.Brotli)
		if form.String() != want {
			t.Errorf("%s: got %s, want %s", tag, form, want)
		}
		if back, ok := unsuffixed(form, encoding.Brotli); ok != (form != e) || back != e {
			t.Errorf("%s: %s came back, %v", tag, back, ok)
		}
		if _, ok := unsuffixed(form, encoding.Gzip); ok {
			t.Errorf("%s is one of gzip", form)
		}
	}
	f(`"x"`, `"x-br"`)
	f(`""`, `"-br"`)
	f(`"x-br"`, `"x-br-br"`)
	f(`W/"x"`, `W/"x"`)
	f("", "")
	f("x", "")
}

// Whatever a client asks for, the origin is asked for that first, and for nothing that isn't an entity tag.
func FuzzOriginConditions(f *testing.F) {
	for _, seed := range []string{`"x-br"`, `"x-br", W/"y-br","z-br"`, `*`, `"x-br`, `"-br"`, `"a-br-gzip", "a-br"`, ``} {
		f.Add(seed)
	}
	k := testCoder()
	f.Fuzz(func(t *testing.T, list string) {
		h := http.Header{"If-None-Match": {list}, "If-Match": {list}, "Accept-Encoding": {"br"}}
		got := k.originConditions(h)
		if h.Get("If-Match") != list {
			t.Fatal("the client's own fields have changed")
		}
		for _, name := range []string{"If-Match", "If-None-Match"} {
			value := got[name][0]
			if value == list {
				continue
			}
			if len(value) < len(list)+2 || value[:len(list)+2] != list+", " {
				t.Fatalf("%q became %q", list, value)
			}
			for rest := value[len(list):]; rest != ""; {
				var tag httpfield.ETag
				if tag, rest = httpfield.NextETag(rest); tag.Opaque == "" || tag.Weak {
					t.Fatalf("%q became %q", list, value)
				}
			}
		}
	})
}
