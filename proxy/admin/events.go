package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/anyedge/anyedge/health"
)

// keepAlive is how often an idle event stream says that it lives, so that a dead client is noticed.
const keepAlive = 15 * time.Second

// events answers with the events after ?after=SEQ: as a JSON list, or to a client that accepts text/event-stream
// as server-sent events that go on until it leaves. A client that comes back says where it was by Last-Event-ID.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	after, err := resumeAfter(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		list := s.journal.Since(after)
		if list == nil {
			list = []health.Event{}
		}
		answer(w, list)
		return
	}
	s.stream(w, r, after)
}

func resumeAfter(r *http.Request) (uint64, error) {
	v := r.Header.Get("Last-Event-ID")
	if q := r.URL.Query().Get("after"); q != "" {
		v = q
	}
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("after: %q is not an event's number", v)
	}
	return n, nil
}

func (s *Server) stream(w http.ResponseWriter, r *http.Request, after uint64) {
	news, cancel := s.journal.Subscribe()
	defer cancel()
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()

	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	for {
		for _, e := range s.journal.Since(after) {
			if writeEvent(w, e) != nil {
				return
			}
			after = e.Seq
		}
		if out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-news:
		case <-alive.C:
			if _, err := fmt.Fprint(w, ": alive\n\n"); err != nil {
				return
			}
		}
	}
}

func writeEvent(w http.ResponseWriter, e health.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Kind, data)
	return err
}
