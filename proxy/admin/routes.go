package admin

import (
	"cmp"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/anyedge/anyedge/cache"
)

// maxRequest bounds a request's content: the largest is a purge of many URLs.
const maxRequest = 1 << 20

// PurgeRequest is the content of POST /v1/purge.
type PurgeRequest struct {
	cache.PurgeRequest
	Fleet bool `json:"fleet,omitempty"` // on every node of the fleet
}

// DrainRequest is the content of POST /v1/drain.
type DrainRequest struct {
	VIP    string `json:"vip,omitempty"` // empty: all
	For    string `json:"for,omitempty"` // how long: 30m, 2h; empty or 0s: until it is undrained
	Reason string `json:"reason,omitempty"`
}

// ForceRequest is the content of POST /v1/force.
type ForceRequest struct {
	VIP    string `json:"vip"`
	Level  uint8  `json:"level"` // 0 announced to 4 withdrawn
	For    string `json:"for"`   // how long: 30m, 2h
	Reason string `json:"reason"`
}

// BlackholeRequest is the content of POST /v1/blackhole.
type BlackholeRequest struct {
	VIP    string `json:"vip"`
	For    string `json:"for"` // how long: 30m, 2h
	Reason string `json:"reason"`
}

// VIPRequest is the content of POST /v1/undrain, /v1/unforce, /v1/unblackhole and /v1/undamp.
type VIPRequest struct {
	VIP string `json:"vip,omitempty"` // empty: all
}

// UpgradeRequest is the content of POST /v1/upgrade.
type UpgradeRequest struct {
	// Drain is how long the former process may take to finish what it serves: 10m, 1h. Empty: an hour.
	Drain string `json:"drain,omitempty"`
	// MoveSessions begins the BGP sessions anew at the next process, one after the other. Else each stays with the process
	// that has begun it until it ends.
	MoveSessions bool `json:"move_sessions,omitempty"`
}

// Problem is the content of every answer that is an error.
type Problem struct {
	Error string `json:"error"`
}

func (s *Server) routes(reg prometheus.Gatherer) http.Handler {
	guarded := http.NewServeMux()
	guarded.HandleFunc("GET /v1/status", s.status)
	guarded.HandleFunc("GET /v1/certs", s.certs)
	guarded.HandleFunc("GET /v1/config", s.config)
	guarded.HandleFunc("GET /v1/explain", s.explain)
	guarded.HandleFunc("GET /v1/events", s.events)
	guarded.HandleFunc("GET /v1/live", s.live)
	guarded.HandleFunc("POST /v1/purge", s.purge)
	guarded.HandleFunc("POST /v1/drain", s.drain)
	guarded.HandleFunc("POST /v1/undrain", s.ofVIP(s.backend.Undrain))
	guarded.HandleFunc("POST /v1/force", s.force)
	guarded.HandleFunc("POST /v1/unforce", s.ofVIP(s.backend.Unforce))
	guarded.HandleFunc("POST /v1/undamp", s.ofVIP(s.backend.Undamp))
	guarded.HandleFunc("POST /v1/blackhole", s.blackhole)
	guarded.HandleFunc("POST /v1/unblackhole", s.ofVIP(s.backend.Unblackhole))
	guarded.HandleFunc("POST /v1/upgrade", s.upgrade)
	guarded.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	guarded.HandleFunc("GET /debug/pprof/", pprof.Index)
	guarded.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	guarded.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	guarded.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	guarded.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	guarded.HandleFunc("GET /{$}", s.page)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("/", s.guard(guarded))
	return mux
}

// guard lets through who may use the API: holders of the token where one is set. Where none is, it refuses what a
// web page in the operator's browser could send: a foreign Host (DNS rebinding), or a POST without JSON (a form).
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.token != "" && !s.tokenMatches(r):
			w.Header().Set("WWW-Authenticate", `Bearer realm="anyedge"`)
			fail(w, http.StatusUnauthorized, errors.New("the token is missing or wrong: send Authorization: Bearer TOKEN"))
		case s.token == "" && !s.hostMatches(r):
			fail(w, http.StatusMisdirectedRequest, fmt.Errorf("host %q is not this API's: use its address", r.Host))
		case r.Method == http.MethodPost && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
			fail(w, http.StatusUnsupportedMediaType, errors.New("send the request as application/json"))
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Server) tokenMatches(r *http.Request) bool {
	got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && subtle.ConstantTimeCompare([]byte(got), []byte(s.token)) == 1
}

func (s *Server) hostMatches(r *http.Request) bool {
	if strings.HasPrefix(s.options.Listen, "unix:") || s.options.ClientCAFile != "" {
		return true
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.Trim(r.Host, "[]")
	}
	return isLoopback(host)
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) { answer(w, s.backend.Status()) }

func (s *Server) certs(w http.ResponseWriter, _ *http.Request) { answer(w, s.backend.Certificates()) }

func (s *Server) config(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(s.backend.Config())
}

func (s *Server) explain(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if url := q.Get("url"); url != "" {
		s.explainURL(w, url, q["field"])
		return
	}
	s.explainVIP(w, q.Get("vip"))
}

// explainURL says what is stored for a URL; fields are those of a request, "Name: value".
func (s *Server) explainURL(w http.ResponseWriter, url string, fields []string) {
	h := http.Header{}
	for _, f := range fields {
		name, value, ok := strings.Cut(f, ":")
		if !ok || name == "" {
			fail(w, http.StatusBadRequest, fmt.Errorf("field: %q is not NAME: VALUE", f))
			return
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	e, err := s.backend.ExplainURL(url, h)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	answer(w, e)
}

func (s *Server) explainVIP(w http.ResponseWriter, vip string) {
	e, err := s.backend.Explain(vip)
	if err != nil {
		fail(w, http.StatusNotFound, err)
		return
	}
	answer(w, e)
}

func (s *Server) purge(w http.ResponseWriter, r *http.Request) {
	var p PurgeRequest
	if !read(w, r, &p) {
		return
	}
	var result any
	var err error
	if p.Fleet {
		result, err = s.backend.PurgeFleet(r.Context(), p.PurgeRequest)
	} else {
		result, err = s.backend.Purge(r.Context(), p.PurgeRequest)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	answer(w, result)
}

func (s *Server) drain(w http.ResponseWriter, r *http.Request) {
	var d DrainRequest
	if !read(w, r, &d) {
		return
	}
	if long, ok := howLong(w, cmp.Or(d.For, "0s")); ok {
		s.operated(w, d.VIP, s.backend.Drain(d.VIP, long, d.Reason))
	}
}

func (s *Server) force(w http.ResponseWriter, r *http.Request) {
	var f ForceRequest
	if !read(w, r, &f) {
		return
	}
	if d, ok := howLong(w, f.For); ok {
		s.operated(w, f.VIP, s.backend.Force(f.VIP, f.Level, d, f.Reason))
	}
}

func (s *Server) blackhole(w http.ResponseWriter, r *http.Request) {
	var b BlackholeRequest
	if !read(w, r, &b) {
		return
	}
	if d, ok := howLong(w, b.For); ok {
		s.operated(w, b.VIP, s.backend.Blackhole(b.VIP, d, b.Reason))
	}
}

func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	var u UpgradeRequest
	if !read(w, r, &u) {
		return
	}
	result, err := s.backend.Upgrade(r.Context(), u)
	if err != nil {
		fail(w, http.StatusConflict, err)
		return
	}
	answer(w, result)
}

// howLong reads for how long an operator wants something.
func howLong(w http.ResponseWriter, text string) (time.Duration, bool) {
	d, err := time.ParseDuration(text)
	if err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("for %q: how long? 30m or 2h, say", text))
		return 0, false
	}
	return d, true
}

// ofVIP is what an operator may ask of one VIP, or of all.
func (s *Server) ofVIP(do func(vip string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var v VIPRequest
		if read(w, r, &v) {
			s.operated(w, v.VIP, do(v.VIP))
		}
	}
}

// operated answers what came of an operator's wish.
func (s *Server) operated(w http.ResponseWriter, vip string, err error) {
	if err != nil {
		fail(w, http.StatusNotFound, err)
		return
	}
	s.explainVIP(w, vip)
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.backend.Ready(); err != nil {
		fail(w, http.StatusServiceUnavailable, err)
		return
	}
	_, _ = fmt.Fprintln(w, "ready")
}

// read decodes the request's content into v, strictly: a misspelt key must not become "purge nothing" or "drain all".
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("read the request: %w", err))
		return false
	}
	return true
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // the client is gone: nobody to tell
}

func fail(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(Problem{Error: err.Error()})
}
