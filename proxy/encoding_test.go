package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// TestContentCoding: the same over H1, H2 and H3, as it passes and of what is stored, whole and asked for by HEAD.
func TestContentCoding(t *testing.T) {
	page := strings.Repeat("<p>a page of text</p>\n", 500)
	origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/stored") {
			w.Header().Set("Cache-Control", "max-age=60")
		}
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Etag", `"x"`)
		_, _ = io.WriteString(w, page)
	})
	e := newEdge(t, onlyOrigin(t, origin.URL))
	eachProtocol(t, e, func(t *testing.T, protocol string, c *http.Client) {
		for _, target := range []string{"/stored/" + protocol, "/stored/" + protocol, "/passing"} {
			for _, coding := range []string{"br", "zstd", "gzip"} {
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					r := e.request(t, method, "example.com", target, nil)
					r.Header.Set("Accept-Encoding", coding)
					resp, content := do(t, c, r)
					h := resp.Header
					if h.Get("Content-Encoding") != coding || h.Get("Etag") != `"x-`+coding+`"` || h.Get("Vary") != "Accept-Encoding" {
						t.Errorf("%s %s: %v", method, target, h)
					}
					if got := decode(t, coding, content); method == http.MethodGet && got != page {
						t.Errorf("%s %s: %d octets of %s are %d", method, target, len(content), coding, len(got))
					}
				}
			}
		}
	})
}

func decode(t *testing.T, coding, content string) string {
	var r io.Reader = strings.NewReader(content)
	var err error
	switch {
	case content == "":
	case coding == "br":
		r = brotli.NewReader(r)
	case coding == "zstd":
		r, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
	case coding == "gzip":
		r, err = gzip.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}
