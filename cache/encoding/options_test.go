package encoding_test

import (
	"slices"
	"testing"

	"github.com/anyedge/anyedge/cache/encoding"
)

func TestTypes(t *testing.T) {
	var o encoding.Options
	o.SetDefaults()
	types := encoding.NewTypes(o.Types)
	for _, yes := range []string{
		"text/html", "text/html; charset=utf-8", "Text/CSS", "text/plain;a=b", "application/json", "application/ld+json",
		"image/svg+xml", "application/javascript", "application/wasm", "font/ttf", " application/xml ; charset=x",
	} {
		if !types.Has(yes) {
			t.Errorf("%q isn't encoded", yes)
		}
	}
	for _, no := range []string{
		"", "image/png", "video/mp4", "font/woff2", "application/octet-stream", "application/zip", "textual/html", "json",
		"text/event-stream", "text/event-stream; charset=utf-8", "multipart/byteranges", "application/grpc",
	} {
		if types.Has(no) {
			t.Errorf("%q is encoded", no)
		}
	}
	if (encoding.Types{}).Has("text/html") {
		t.Error("the zero value has a type")
	}
}

func TestCheck(t *testing.T) {
	f := func(want []string, change func(*encoding.Options)) {
		t.Helper()
		var o encoding.Options
		o.SetDefaults()
		change(&o)
		var keys []string
		o.Check(func(key, problem string) {
			keys = append(keys, key)
			if problem == "" {
				t.Errorf("%s: no problem told", key)
			}
		})
		if !slices.Equal(keys, want) {
			t.Errorf("got %q, want %q", keys, want)
		}
	}
	f(nil, func(*encoding.Options) {})
	f(nil, func(o *encoding.Options) { *o = encoding.Options{Off: true} })
	f([]string{"codings"}, func(o *encoding.Options) { o.Codings = nil })
	f([]string{"codings[0]", "codings[2]"}, func(o *encoding.Options) { o.Codings = []string{"deflate", "br", "br"} })
	f([]string{"codings[0]"}, func(o *encoding.Options) { o.Codings = []string{"identity"} })
	f([]string{"types[0]", "types[2]", "types[3]", "types[4]", "types[5]"}, func(o *encoding.Options) {
		o.Types = []string{"text", "*+json", "text/event-stream", "te xt/*", "*/*", "*/json"}
	})
	f([]string{"min_size"}, func(o *encoding.Options) { o.MinSize = -1 })
	f([]string{"max_size"}, func(o *encoding.Options) { o.MaxSize = 1000 })
	f([]string{"streams"}, func(o *encoding.Options) { o.Streams = -1 })
	f([]string{"levels.br", "levels.zstd", "levels.gzip"}, func(o *encoding.Options) { o.Levels = encoding.Levels{Brotli: 12} })
}

func TestOff(t *testing.T) {
	var o encoding.Options
	o.SetDefaults()
	if got := o.Order(); !slices.Equal(got, offer) {
		t.Errorf("the default is %v", got)
	}
	if err := o.UnmarshalText([]byte("off")); err != nil || !o.Off || len(o.Order()) > 0 {
		t.Errorf("off: %+v, %v", o, err)
	}
	if err := o.UnmarshalText([]byte("on")); err == nil {
		t.Error("on is taken for something")
	}
}
