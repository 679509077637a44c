package acme

import (
	"io"
	"net/http"
	"strconv"
	"strings"
)

// challengePath is where authorities look (RFC 8555, section 8.3).
const challengePath = "/.well-known/acme-challenge/"

// Handler answers http-01 challenges under way, and leaves every other request to next: other paths, other hosts, and
// tokens that nobody has put.
func Handler(c Challenges, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.URL.Path, challengePath)
		if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		text, ok := c.KeyAuthorization(r.Host, token)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Length", strconv.Itoa(len(text)))
		h.Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, text) // a client that has gone needs no answer
	})
}
