package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// liveInterval is how old the status page's figures may be.
	liveInterval = 2 * time.Second
	// liveRest is the least time between two snapshots, however much happens.
	liveRest = 100 * time.Millisecond
)

// live answers with a stream of server-sent events that goes on until the client leaves: snapshots, the first of them
// whole.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	news, cancel := s.journal.Subscribe()
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	due := time.NewTicker(liveInterval)
	defer due.Stop()
	for whole := true; ; whole = false {
		if writeSnapshot(w, s.backend.Snapshot(whole)) != nil || out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(liveRest):
		}
		select {
		case <-r.Context().Done():
			return
		case <-news:
		case <-due.C:
		}
	}
}

func writeSnapshot(w http.ResponseWriter, snapshot any) error {
	data, err := json.Marshal(snapshot)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "event: snapshot\ndata: %s\n\n", data)
	return err
}
