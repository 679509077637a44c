package admin_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/admin"
)

// backend records what the API asked of it.
type backend struct {
	purged   cache.PurgeRequest
	drained  admin.DrainRequest
	undrains []string
	forced   []string
	notReady error
	snapshot string
}

func (b *backend) Status() any { return map[string]string{"node": "ams-1"} }

func (b *backend) Certificates() any {
	return map[string][]string{"certificates": {"shop.example.com"}}
}

func (b *backend) Snapshot(whole bool) any {
	if b.snapshot != "" {
		return b.snapshot
	}
	return map[string]bool{"whole": whole}
}

func (b *backend) ExplainURL(url string, fields http.Header) (cache.URLExplanation, error) {
	if url == "nonsense" {
		return cache.URLExplanation{}, errors.New("not a whole URL")
	}
	return cache.URLExplanation{URL: url, Verdict: fields.Get("Accept-Language")}, nil
}

func (b *backend) Config() []byte { return []byte("node: {name: ams-1}\n") }

func (b *backend) Explain(vip string) (any, error) {
	if vip != "" && vip != "www" {
		return nil, errors.New("no VIP " + vip)
	}
	return []map[string]string{{"vip": "www", "text": "well"}}, nil
}

func (b *backend) Purge(_ context.Context, p cache.PurgeRequest) (cache.PurgeResult, error) {
	b.purged = p
	return cache.PurgeResult{Count: 3}, nil
}

func (b *backend) PurgeFleet(_ context.Context, p cache.PurgeRequest) (any, error) {
	b.purged = p
	return map[string]int{"nodes": 7}, nil
}

func (b *backend) Drain(vip string, d time.Duration, reason string) error {
	if vip == "nope" {
		return errors.New("no VIP nope")
	}
	b.drained = admin.DrainRequest{VIP: vip, For: d.String(), Reason: reason}
	return nil
}

func (b *backend) Undrain(vip string) error {
	b.undrains = append(b.undrains, vip)
	return nil
}

func (b *backend) Force(vip string, level uint8, d time.Duration, reason string) error {
	b.forced = append(b.forced, fmt.Sprintf("force %s %d %s %s", vip, level, d, reason))
	return nil
}

func (b *backend) Unforce(vip string) error {
	b.forced = append(b.forced, "unforce "+vip)
	return nil
}

func (b *backend) Blackhole(vip string, d time.Duration, reason string) error {
	b.forced = append(b.forced, fmt.Sprintf("blackhole %s %s %s", vip, d, reason))
	return nil
}

func (b *backend) Unblackhole(vip string) error {
	b.forced = append(b.forced, "unblackhole "+vip)
	return nil
}

func (b *backend) Undamp(vip string) error {
	b.forced = append(b.forced, "undamp "+vip)
	return nil
}

func (b *backend) Upgrade(_ context.Context, r admin.UpgradeRequest) (any, error) {
	if r.Drain == "never" {
		return nil, errors.New("how long?")
	}
	return map[string]any{"pid": 7, "drain": r.Drain, "move": r.MoveSessions}, nil
}

func (b *backend) Ready() error { return b.notReady }

// api is a server under test with a client of its own.
type api struct {
	t       *testing.T
	base    string
	client  *http.Client
	backend *backend
	journal *health.Journal
}

func start(t *testing.T, o admin.Options) *api {
	t.Helper()
	a := &api{t: t, client: &http.Client{}, backend: &backend{}, journal: health.NewJournal(64)}
	s, err := admin.New(o, a.backend, a.journal, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		a.client.CloseIdleConnections()
	})
	a.base = "http://" + s.Addr().String()
	if path, ok := strings.CutPrefix(o.Listen, "unix:"); ok {
		a.base = "http://localhost"
		a.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}}
	}
	return a
}

// call makes a request and returns the status and the content.
func (a *api) call(method, path, content string, change ...func(*http.Request)) (int, string) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.base+path, strings.NewReader(content))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for _, f := range change {
		f(req)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func loopback() admin.Options { return admin.Options{Listen: "127.0.0.1:0"} }

func TestAnswers(t *testing.T) {
	a := start(t, loopback())
	for _, c := range []struct {
		name, method, path, content string
		status                      int
		contains                    string
	}{
		{"status", "GET", "/v1/status", "", 200, `"node": "ams-1"`},
		{"certificates", "GET", "/v1/certs", "", 200, `"shop.example.com"`},
		{"explain all", "GET", "/v1/explain", "", 200, `"vip": "www"`},
		{"explain one", "GET", "/v1/explain?vip=www", "", 200, `"text": "well"`},
		{"explain an unknown VIP", "GET", "/v1/explain?vip=ww", "", 404, "no VIP ww"},
		{"no events", "GET", "/v1/events", "", 200, "[]"},
		{"bad after", "GET", "/v1/events?after=x", "", 400, "not an event's number"},
		{"purge", "POST", "/v1/purge", `{"tag":"a"}`, 200, `3`},
		{"purge with a misspelt key", "POST", "/v1/purge", `{"tagg":"a"}`, 400, "unknown field"},
		{"purge of several", "POST", "/v1/purge", `{"tag":["a","b"]}`, 200, `3`},
		{"purge of the fleet", "POST", "/v1/purge", `{"tag":["a","b"],"fleet":true}`, 200, `"nodes": 7`},
		{"purge of a number", "POST", "/v1/purge", `{"tag":7}`, 400, "neither a string nor a list"},
		{"purge with broken JSON", "POST", "/v1/purge", `{`, 400, "read the request"},
		{"purge by GET", "GET", "/v1/purge", "", 405, ""},
		{"purge with too much", "POST", "/v1/purge", `{"tag":"` + strings.Repeat("a", 2<<20) + `"}`, 400, "too large"},
		{"upgrade", "POST", "/v1/upgrade", `{"drain":"10m","move_sessions":true}`, 200, `"pid": 7`},
		{"upgrade that fails", "POST", "/v1/upgrade", `{"drain":"never"}`, 409, "how long?"},
		{"upgrade with a mistake", "POST", "/v1/upgrade", `{"drian":"1h"}`, 400, "drian"},
		{"drain an unknown VIP", "POST", "/v1/drain", `{"vip":"nope"}`, 404, "no VIP nope"},
		{"drain", "POST", "/v1/drain", `{"vip":"www","for":"2h","reason":"switch"}`, 200, `"vip": "www"`},
		{"undrain", "POST", "/v1/undrain", `{}`, 200, `"vip": "www"`},
		{"force", "POST", "/v1/force", `{"vip":"www","level":2,"for":"90m","reason":"r"}`, 200, `"vip": "www"`},
		{"force for how long", "POST", "/v1/force", `{"vip":"www","level":2,"reason":"r"}`, 400, "how long"},
		{"unforce", "POST", "/v1/unforce", `{"vip":"www"}`, 200, `"vip": "www"`},
		{"blackhole", "POST", "/v1/blackhole", `{"vip":"www","for":"30m","reason":"flood"}`, 200, `"vip": "www"`},
		{"blackhole for how long", "POST", "/v1/blackhole", `{"vip":"www","for":"ever","reason":"flood"}`, 400, "how long"},
		{"unblackhole", "POST", "/v1/unblackhole", `{"vip":"www"}`, 200, `"vip": "www"`},
		{"undamp", "POST", "/v1/undamp", `{}`, 200, `"vip": "www"`},
		{"undamp, misspelt", "POST", "/v1/undamp", `{"vips":"www"}`, 400, "unknown field"},
		{"healthz", "GET", "/healthz", "", 200, "ok"},
		{"readyz", "GET", "/readyz", "", 200, "ready"},
		{"metrics", "GET", "/metrics", "", 200, ""},
		{"pprof", "GET", "/debug/pprof/", "", 200, "goroutine"},
		{"page", "GET", "/", "", 200, "<title>anyedge</title>"},
		{"elsewhere", "GET", "/v2/status", "", 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, content := a.call(c.method, c.path, c.content)
			if status != c.status || !strings.Contains(content, c.contains) {
				t.Errorf("%s %s: %d %s; want %d with %q", c.method, c.path, status, content, c.status, c.contains)
			}
		})
	}
	if !slices.Equal(a.backend.purged.Tags, []string{"a", "b"}) || a.backend.drained != (admin.DrainRequest{VIP: "www", For: "2h0m0s", Reason: "switch"}) || len(a.backend.undrains) != 1 {
		t.Errorf("the backend was asked for %+v, %+v, %v", a.backend.purged, a.backend.drained, a.backend.undrains)
	}
	if got := fmt.Sprintf("%q", a.backend.forced); got != `["force www 2 1h30m0s r" "unforce www" "blackhole www 30m0s flood" "unblackhole www" "undamp "]` {
		t.Errorf("the backend was asked to %s", got)
	}
}

func TestReadyzSaysWhyNot(t *testing.T) {
	a := start(t, loopback())
	a.backend.notReady = errors.New("no VIP is announced")
	if status, content := a.call("GET", "/readyz", ""); status != 503 || !strings.Contains(content, "no VIP is announced") {
		t.Errorf("%d %s", status, content)
	}
}

func TestTokenIsAskedOfEveryoneButProbes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := start(t, admin.Options{Listen: "127.0.0.1:0", TokenFile: file})
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	for _, path := range []string{"/v1/status", "/metrics", "/debug/pprof/", "/"} {
		if status, _ := a.call("GET", path, ""); status != 401 {
			t.Errorf("%s without a token: %d", path, status)
		}
		if status, _ := a.call("GET", path, "", bearer("s3cre")); status != 401 {
			t.Errorf("%s with a wrong token: %d", path, status)
		}
		if status, _ := a.call("GET", path, "", bearer("s3cret")); status != 200 {
			t.Errorf("%s with the token: %d", path, status)
		}
	}
	if status, _ := a.call("GET", "/healthz", ""); status != 200 {
		t.Errorf("/healthz: %d", status)
	}
}

// A page in the operator's browser can make requests to loopback: by a name that resolves there, or by a form.
func TestForeignPagesAreRefused(t *testing.T) {
	a := start(t, loopback())
	if status, _ := a.call("GET", "/v1/status", "", func(r *http.Request) { r.Host = "evil.example:9180" }); status != 421 {
		t.Errorf("a foreign host: %d", status)
	}
	form := func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }
	if status, _ := a.call("POST", "/v1/drain", `{}`, form); status != 415 {
		t.Errorf("a form: %d", status)
	}
	for _, host := range []string{"localhost", "localhost:1", "127.0.0.1", "[::1]:2", "[::1]"} {
		if status, _ := a.call("GET", "/v1/status", "", func(r *http.Request) { r.Host = host }); status != 200 {
			t.Errorf("host %s: %d", host, status)
		}
	}
}

func TestEventsStream(t *testing.T) {
	a := start(t, loopback())
	a.journal.Add(health.EventNode, "ams-1", "started")
	a.journal.Add(health.EventRoute, "www", "announced")
	next := a.stream("/v1/events", "1")
	if got := next(); !strings.Contains(got, "announced") {
		t.Errorf("the first event after 1 is %s", got)
	}
	a.journal.Add(health.EventRoute, "www", "withdrawn")
	if got := next(); !strings.Contains(got, "withdrawn") {
		t.Errorf("the live event is %s", got)
	}
}

// stream begins an event stream after an event, and returns what gives its next data.
func (a *api) stream(path, after string) (next func() string) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), "GET", a.base+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Last-Event-ID", after)
	resp, err := a.client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return func() string {
		a.t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}
		a.t.Fatal("the stream ended: ", lines.Err())
		return ""
	}
}

func TestExplainURL(t *testing.T) {
	a := start(t, loopback())
	for path, want := range map[string]string{
		"/v1/explain?url=http://a/&field=Accept-Language:%20de": `"verdict": "de"`,
		"/v1/explain?url=http://a/&field=nonsense":              "not NAME: VALUE",
		"/v1/explain?url=nonsense":                              "not a whole URL",
	} {
		if _, text := a.call("GET", path, "", func(*http.Request) {}); !strings.Contains(strings.ReplaceAll(text, `":"`, `": "`), want) {
			t.Errorf("%s: %s", path, text)
		}
	}
}

// The page brings its first snapshot along, so that it is whole at once, and JSON can't end the element it is in.
func TestPage(t *testing.T) {
	a := start(t, loopback())
	a.backend.snapshot = "</script><b>"
	status, text := a.call("GET", "/", "", func(*http.Request) {})
	if status != 200 || !strings.Contains(text, `<script id="first" type="application/json">"\u003c/script\u003e\u003cb\u003e"</script>`) {
		t.Errorf("%d %.2000s", status, text)
	}
}

// The status page gets the whole first, then what is new: at once when something happens, else after a while.
func TestLiveStream(t *testing.T) {
	a := start(t, loopback())
	next := a.stream("/v1/live", "")
	if got := next(); got != `{"whole":true}` {
		t.Errorf("first %s", got)
	}
	begin := time.Now()
	a.journal.Add(health.EventRoute, "www", "announced")
	if got := next(); got != `{"whole":false}` || time.Since(begin) > time.Second {
		t.Errorf("then %s after %s", got, time.Since(begin))
	}
	next() // without any event
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	// What a killed process leaves: a socket that nobody answers on.
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()

	a := start(t, admin.Options{Listen: "unix:" + path})
	if status, _ := a.call("GET", "/v1/status", ""); status != 200 {
		t.Errorf("status %d", status)
	}
	if _, err := admin.New(admin.Options{Listen: "unix:" + path}, a.backend, a.journal, prometheus.NewRegistry(), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a second server took the socket of a living one")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestNewSaysWhatToDo(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	empty := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]admin.Options{
		"ss -lntp":            {Listen: busy.Addr().String()},
		"is empty":            {Listen: "127.0.0.1:0", TokenFile: empty},
		"admin.token_file":    {Listen: "127.0.0.1:0", TokenFile: empty + "x"},
		"admin.cert_file":     {Listen: "127.0.0.1:0", CertFile: empty, KeyFile: empty},
		"admin.listen: liste": {Listen: "127.0.0.1:x"},
	} {
		_, err := admin.New(o, &backend{}, health.NewJournal(1), prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q", o, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		o    admin.Options
		want string
	}{
		{admin.Options{Listen: "127.0.0.1:9180"}, ""},
		{admin.Options{Listen: "[::1]:9180"}, ""},
		{admin.Options{Listen: "localhost:9180"}, ""},
		{admin.Options{Listen: "unix:/run/a.sock"}, ""},
		{admin.Options{Listen: "unix:"}, "listen"},
		{admin.Options{Listen: "9180"}, "listen"},
		{admin.Options{Listen: ":9180"}, "listen"},
		{admin.Options{Listen: "0.0.0.0:9180"}, "listen"},
		{admin.Options{Listen: "0.0.0.0:9180", TokenFile: "t"}, ""},
		{admin.Options{Listen: "127.0.0.1:9180", CertFile: "c"}, "cert_file"},
		{admin.Options{Listen: "127.0.0.1:9180", ClientCAFile: "c"}, "client_ca_file"},
	} {
		var got bytes.Buffer
		c.o.Check(func(key, _ string) { got.WriteString(key) })
		if got.String() != c.want {
			t.Errorf("%+v: %q, want %q", c.o, got.String(), c.want)
		}
	}
}

// The next process goes on at the same socket, of either kind; what was asked before is answered.
func TestYield(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "unix:" + filepath.Join(t.TempDir(), "admin")} {
		o := admin.Options{Listen: listen}
		first, err := admin.New(o, &backend{}, health.NewJournal(8), prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		f, err := first.Socket().(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		socket, err := net.FileListener(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		next, err := admin.NewOn(socket, o, &backend{}, health.NewJournal(8), prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		at := first.Addr()
		one, endOne := context.WithCancel(t.Context())
		two, endTwo := context.WithCancel(t.Context())
		done := make(chan error, 2)
		go func() { done <- first.Serve(one) }() // both are waited for below
		first.Yield()
		go func() { done <- next.Serve(two) }()
		endOne()
		if err := <-done; err != nil {
			t.Error(err)
		}
		c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, at.Network(), at.String())
		}, DisableKeepAlives: true}}
		r, err := c.Get("http://127.0.0.1/healthz")
		if err != nil || r.StatusCode != http.StatusOK {
			t.Errorf("%s: %v", listen, err)
		}
		endTwo()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
