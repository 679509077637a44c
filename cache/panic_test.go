package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/memory"
)

// panicking is a content that panics after its first octets.
type panicking struct{ io.Reader }

func (p panicking) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if err != nil {
		panic("in the content")
	}
	return n, nil
}

// TestPanicOfTheOrigin: code that panics on a fill's goroutine costs the requests that wait for it, and says so.
func TestPanicOfTheOrigin(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		logged string
		status int // 0 for one that is aborted
	}{
		"before the answer": {func(*http.Request) (*http.Response, error) { panic("in RoundTrip") }, "in RoundTrip", http.StatusBadGateway},
		"in the content": {func(*http.Request) (*http.Response, error) {
			return respond(panicking{strings.NewReader("begin")}, -1, "Cache-Control: max-age=60"), nil
		}, "in the content", 0},
		"on purpose": {func(*http.Request) (*http.Response, error) { panic(http.ErrAbortHandler) }, "", http.StatusBadGateway},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				var o cache.Options
				o.SetDefaults()
				c := cache.New(o, "edge", memory.New(o.Memory), slog.New(slog.NewTextHandler(&log, nil)))
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() {
						if got := statusOf(handle(c, &originFunc{answer: tt.answer})); got != tt.status {
							t.Errorf("status %d, want %d", got, tt.status)
						}
					})
				}
				wg.Wait()
				synctest.Wait()
				if st := c.Stats(); st.Responses != 0 || st.Fills != 0 || st.FillBytes != 0 {
					t.Errorf("%+v", st)
				}
				if err := c.Close(context.Background()); err != nil {
					t.Error(err)
				}
				if tt.logged == "" && log.Len() > 0 || !strings.Contains(log.String(), tt.logged) {
					t.Errorf("the log says %s", &log)
				}
			})
		})
	}
}

// statusOf sends a request and returns the status, 0 when the handler aborts.
func statusOf(h http.Handler) (status int) {
	defer func() {
		if err, _ := recover().(error); errors.Is(err, http.ErrAbortHandler) {
			status = 0
		}
	}()
	return get(h, "http://example.com/").Code
}
