package cache_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestPosted has responses to POST that say they may be stored for GET: only what came whole, isn't large, and wasn't invalidated
// while it came is.
func TestPosted(t *testing.T) {
	var h http.Handler
	post := func() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "http://example.com/a", nil))
	}
	for _, tt := range []struct {
		name    string
		content func() io.Reader
		length  int64
		stored  bool
	}{
		{"of a length that isn't told", func() io.Reader { return strings.NewReader("posted") }, -1, true},
		{"without content", func() io.Reader { return strings.NewReader("") }, 0, true},
		{"large", func() io.Reader { return strings.NewReader(strings.Repeat("x", 1<<20)) }, 1 << 20, false},
		{"cut", func() io.Reader { return io.MultiReader(strings.NewReader("pos"), failing{errors.New("cut")}) }, -1, false},
		{"invalidated meanwhile", func() io.Reader {
			return io.MultiReader(strings.NewReader("pos"), hook(post), strings.NewReader("ted"))
		}, -1, false},
	} {
		posts := 0
		o := &originFunc{answer: func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				return respondText("got"), nil
			}
			if posts++; posts > 1 {
				return respondText("another"), nil
			}
			return respond(tt.content(), tt.length, "Cache-Control: max-age=60", "Content-Location: /a"), nil
		}}
		h = handle(newCache(t, standard), o)
		unlessAborted(post)
		if stored := get(h, "http://example.com/a").Body.String() != "got"; stored != tt.stored {
			t.Errorf("%s: stored %t", tt.name, stored)
		}
	}
}

// failing is a content that ends with an error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// hook is a content of nothing, at which something happens.
type hook func()

func (f hook) Read([]byte) (int, error) { f(); return 0, io.EOF }

// unlessAborted calls f, whose answer may be broken off.
func unlessAborted(f func()) {
	defer func() {
		if r := recover(); r != nil && r != http.ErrAbortHandler { //nolint:errorlint // that very value, as net/http compares it
			panic(r)
		}
	}()
	f()
}
