package admin

import (
	_ "embed" // the page
	"encoding/json"
	"net/http"
	"strings"
)

//go:embed page.html
var page string

// page shows the VIPs with their reasons, and what happens as it happens. The first snapshot comes with it; JSON that
// Marshal makes has no "<", so that it can't end its element.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	first, err := json.Marshal(s.backend.Snapshot(true))
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'")
	_, _ = strings.NewReplacer("{{snapshot}}", string(first)).WriteString(w, page)
}
