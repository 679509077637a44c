package cache_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/cache/httpfield"
)

// TestVideoOfAFileServer: a client that seeks in a film, as players do, over real connections from net/http's own file
// server, which knows no entity tags.
func TestVideoOfAFileServer(t *testing.T) {
	film := make([]byte, 20<<20+123)
	expose(film, 0, 0)
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/film.mp4", film, 0o600); err != nil {
		t.Fatal(err)
	}
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(dir+"/film.mp4", hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
	origin := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(origin.Close)
	base := front(t, handle(newCache(t), newProxied(t, origin)))
	for _, tt := range []struct{ value, status string }{
		{"bytes=0-", "edge; fwd=uri-miss; fwd-status=206; stored"},
		{"bytes=20971520-", "edge; hit"},
		{"bytes=10000000-11999999", "edge; hit"},
		{"", "edge; hit"},
	} {
		r, _ := http.NewRequest(http.MethodGet, base+"/film.mp4", nil)
		if tt.value != "" {
			r.Header.Set("Range", tt.value)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		want := film
		if part, ok := httpfield.ParseContentRange(response.Header.Get("Content-Range")); ok {
			want = film[part.Start : part.Start+part.Length]
		}
		if err != nil || !bytes.Equal(got, want) || !strings.HasPrefix(response.Header.Get("Cache-Status"), tt.status) {
			t.Errorf("%s: %v, %d octets of %d, %v", tt.value, err, len(got), len(want), response.Header)
		}
	}
}
