package cache_test

import (
	"io"
	"net/http"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decoded reads a content as its client would.
func decoded(r *http.Response) (string, error) {
	content := io.Reader(r.Body)
	switch r.Header.Get("Content-Encoding") {
	case "br":
		content = brotli.NewReader(r.Body)
	case "zstd":
		d, err := zstd.NewReader(r.Body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return "", err
		}
		defer d.Close()
		content = d
	case "gzip":
		d, err := gzip.NewReader(r.Body)
		if err != nil {
			return "", err
		}
		content = d
	}
	b, err := io.ReadAll(content)
	return string(b), err
}
