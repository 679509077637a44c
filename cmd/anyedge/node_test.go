package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
	edgetls "github.com/anyedge/anyedge/tls"
)

// edge is a node under test with an origin and a router of its own, all on loopback.
type edge struct {
	t         *testing.T
	file      string
	https     uint16
	plainHTTP uint16
	origin    *httptest.Server
	asked     atomic.Int64  // requests that reached the origin, without the probes
	cold      atomic.Int64  // requests to /cold
	release   chan struct{} // closed: the origin ends what it has begun to answer at /held and /cold
	router    *bgptest.Router
	node      *node
	admin     string
	stop      context.CancelFunc
	ended     chan error
	replace   []string // pairs of old and new text: how the configuration differs from edgeConfig
}

const edgeConfig = `node: {name: test-1, metro: lab, address: 127.0.0.1}
vips:
  www: {addresses: [127.0.0.1], announce: [198.51.100.0/24], https: %[1]d, http: %[2]d}
tls: {certificates: [{cert: %[3]s/cert.pem, key: %[3]s/key.pem}]}
origins:
  shop: {servers: ["%[4]s"], probe: {path: /healthz, interval: 50ms, timeout: 1s, fall: 2, rise: 1}}
sites:
  shop: {hosts: [shop.example.com, localhost], origin: shop}
health: {self_check: {interval: 50ms, rise: 1}}
routing: {path_fall: 100ms, rise: 200ms, warm_up: 50ms, drain_lead: 200ms}
bgp:
  asn: 64512
  router_id: 127.0.0.1
  lab: true
  peers: [{name: router, address: 127.0.0.1, port: %[5]d, asn: 64496}]
admin: {listen: "127.0.0.1:0"}
log: {access: "%[3]s/access.log"}
`

// newEdge starts an origin and a router, and writes the file of a node that isn't started yet. Its test runs beside
// others, since it mostly waits, unless the race detector minds.
func newEdge(t *testing.T) *edge {
	t.Helper()
	if !raceDetector {
		t.Parallel()
	}
	return newEdgeBeside(t)
}

// newEdgeBeside is newEdge for a test that has several.
func newEdgeBeside(t *testing.T) *edge {
	t.Helper()
	e := &edge{t: t, file: filepath.Join(t.TempDir(), "node.yaml"), ended: make(chan error, 1), release: make(chan struct{})}
	e.origin = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.origin.Close)
	var err error
	if e.router, err = bgptest.Start(bgptest.Options{ASN: 64496, PeerASN: 64512}, discardLog()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.router.Close)
	for e.https == e.plainHTTP { // the kernel may give the same one twice
		e.https, e.plainHTTP = unusedPort(t), unusedPort(t)
	}
	writePair(t, filepath.Dir(e.file), "shop.example.com", "localhost")
	e.write(e.configText())
	return e
}

// startEdge starts a node from a file, as run does.
func startEdge(t *testing.T) *edge {
	t.Helper()
	e := newEdge(t)
	e.begin()
	return e
}

// begin starts the node, and ends it with the test.
func (e *edge) begin() {
	e.t.Helper()
	cfg, err := configs.Load(e.file)
	if err != nil {
		e.t.Fatal(err)
	}
	if e.node, err = newNode(cfg, e.file, slog.New(slog.NewTextHandler(testWriter{e.t}, nil))); err != nil {
		e.t.Fatal(err)
	}
	e.admin = "http://" + e.node.admin.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	go func() { e.ended <- e.node.Run(ctx) }()
	e.t.Cleanup(func() {
		e.node.hurryOnce()
		e.end()
	})
}

func (e *edge) configText() string {
	text := fmt.Sprintf(edgeConfig, e.https, e.plainHTTP, filepath.Dir(e.file), e.origin.URL, e.router.Port())
	return strings.NewReplacer(e.replace...).Replace(text)
}

func (e *edge) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		return
	case "/held":
		e.hold(w, r)
		return
	case "/cold":
		e.serveCold(w, r)
		return
	case "/upload":
		n, _ := io.Copy(io.Discard, r.Body) // a part shows in the number
		fmt.Fprint(w, n)
		return
	}
	n := e.asked.Add(1)
	w.Header().Set("Cache-Control", "max-age=60")
	fmt.Fprintf(w, "page %d of %s%s", n, r.Host, r.URL.Path)
}

// hold answers the first half, and the second when it is released.
func (e *edge) hold(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, "first half")
	_ = http.NewResponseController(w).Flush()
	select {
	case <-e.release:
		fmt.Fprintln(w, "second half")
	case <-r.Context().Done():
	}
}

// end stops the node and waits; a second call does nothing.
func (e *edge) end() {
	e.stop()
	if err, ok := <-e.ended; ok {
		close(e.ended)
		if err != nil {
			e.t.Error("run: ", err)
		}
	}
}

func (e *edge) write(text string) {
	e.t.Helper()
	if err := os.WriteFile(e.file, []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// command runs a client command against the node and returns its exit code and output.
func (e *edge) command(args ...string) (int, string) {
	e.t.Helper()
	return command(e.t, append(args, "--admin", e.admin)...)
}

func command(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := execute(t.Context(), args, &out, &out)
	return code, out.String()
}

func (e *edge) await(what string, done func() bool) {
	e.t.Helper()
	const limit = 2 * time.Minute // for a busy machine
	for deadline := time.Now().Add(limit); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			_, text := e.command("explain")
			e.t.Fatalf("not within %s: %s\nrouter: %v\n%s", limit, what, e.router.Table(), text)
		}
	}
}

func (e *edge) level() routing.Level {
	all, err := e.node.control.Explain("www")
	if err != nil {
		e.t.Fatal(err)
	}
	return all[0].Level
}

func (e *edge) awaitAnnounced() {
	e.t.Helper()
	e.await("announced in the router", func() bool { return e.level() == routing.Announced && len(e.router.Table()) == 1 })
}

// get asks the VIP for https://host/path over proto.
func (e *edge) get(proto, host, path string) (*http.Response, string) {
	e.t.Helper()
	d := e.client()
	transport, done := d.transport(proto)
	defer done()
	return e.getBy(transport, host, path)
}

// client is the demo's, which trusts the test's certificate.
func (e *edge) client() *demo {
	e.t.Helper()
	b, err := os.ReadFile(filepath.Join(filepath.Dir(e.file), "cert.pem"))
	if err != nil {
		e.t.Fatal(err)
	}
	d := &demo{roots: x509.NewCertPool()}
	d.roots.AppendCertsFromPEM(b)
	return d
}

func (e *edge) getBy(transport http.RoundTripper, host, path string) (*http.Response, string) {
	e.t.Helper()
	return e.getFrom(transport, "127.0.0.1", host, path)
}

// getFrom asks at an address of the node's.
func (e *edge) getFrom(transport http.RoundTripper, address, host, path string) (*http.Response, string) {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), "GET", fmt.Sprintf("https://%s:%d%s", address, e.https, path), nil)
	if err != nil {
		e.t.Fatal(err)
	}
	req.Host = host
	resp, err := transport.RoundTrip(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return resp, string(b)
}

func TestOneFileOneNode(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	var first string
	for i, proto := range []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"} {
		resp, content := e.get(proto, "shop.example.com", "/")
		if i == 0 {
			first = content
		}
		if want := i > 0; resp.StatusCode != 200 || content != first || strings.Contains(resp.Header.Get("Cache-Status"), "hit") != want {
			t.Errorf("%s: %d %q, Cache-Status %q", proto, resp.StatusCode, content, resp.Header.Get("Cache-Status"))
		}
	}
	if n := e.asked.Load(); n != 1 {
		t.Errorf("the origin was asked %d times", n)
	}
	if resp, _ := e.get("HTTP/2.0", "other.example.com", "/"); resp.StatusCode != 421 {
		t.Errorf("an unknown host: %d", resp.StatusCode)
	}

	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"status"}, "test-1"},
		{[]string{"status", "--json"}, `"level_name": "announced"`},
		{[]string{"explain"}, "www"},
		{[]string{"explain", "www", "--json"}, `"vip": "www"`},
		{[]string{"events"}, "www"},
		{[]string{"events", "--json"}, `"kind":"decision"`},
		{[]string{"purge", "--url", "https://shop.example.com/"}, "purged 1 "},
		{[]string{"purge", "--site", "shop", "--tag", "none"}, "0 by site shop"},
		{[]string{"purge", "--all", "--json"}, `"count": 0`},
	} {
		if code, out := e.command(c.args...); code != 0 || !strings.Contains(out, c.want) {
			t.Errorf("%v: %d %s; want %q", c.args, code, out, c.want)
		}
	}
	if code, out := e.command("explain", "ww"); code != 1 || !strings.Contains(out, "www") {
		t.Errorf("explain of an unknown VIP should list what there is: %d %s", code, out)
	}
	if code, out := e.command("purge", "--site", "shopp"); code != 1 || !strings.Contains(out, `no site "shopp": there are shop`) {
		t.Errorf("purge of an unknown site should list what there is: %d %s", code, out)
	}
	if _, content := e.get("HTTP/1.1", "shop.example.com", "/"); content == first {
		t.Error("the purged page was served")
	}
	e.checkAccessLog()
}

// checkAccessLog looks for the first request's line.
func (e *edge) checkAccessLog() {
	e.t.Helper()
	b, err := os.ReadFile(filepath.Join(filepath.Dir(e.file), "access.log"))
	if err != nil {
		e.t.Fatal(err)
	}
	var line []byte
	for l := range bytes.Lines(b) {
		if bytes.Contains(l, []byte(`"site":"shop"`)) {
			line = l
			break
		}
	}
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		e.t.Fatalf("%s: %v", line, err)
	}
	for _, key := range []string{"time", "client", "host", "method", "target", "status", "bytes_out", "duration_ms", "ttfb_ms", "cache", "origin", "proto", "node"} {
		if _, ok := fields[key]; !ok {
			e.t.Errorf("the access log lacks %s: %s", key, line)
		}
	}
}

func TestOriginDeathMovesTheRoute(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	e.origin.Close()
	e.await("depreferred in the router", func() bool {
		table := e.router.Table()
		return e.level() == routing.Depreferred && len(table) == 1 && depreferred(table[0])
	})
	_, text := e.command("explain", "www")
	for _, want := range []string{"depreferred", "origin_probe", "shop", "100%"} {
		if !strings.Contains(text, want) {
			t.Errorf("explain doesn't say %q:\n%s", want, text)
		}
	}
	resp, content := e.get("HTTP/2.0", "shop.example.com", "/new")
	if resp.StatusCode != 502 || resp.Header.Get("Proxy-Status") == "" || strings.Contains(content, "127.0.0.1") {
		t.Errorf("%d, Proxy-Status %q: %s", resp.StatusCode, resp.Header.Get("Proxy-Status"), content)
	}
}

func TestReloadIsAllOrNothing(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	d := e.client()
	connection, done := d.transport("HTTP/2.0")
	defer done()
	_, first := e.getBy(connection, "shop.example.com", "/")

	// A mistake: nothing changes, and status says what.
	e.write(strings.Replace(e.configText(), "origin: shop}", "origin: shoe}", 1))
	if err := e.node.Reload(); err == nil {
		t.Fatal("a reload with a mistake succeeded")
	}
	if _, out := e.command("status"); !strings.Contains(out, "REFUSED") || !strings.Contains(out, `did you mean "shop"`) {
		t.Errorf("status doesn't show the mistake:\n%s", out)
	}
	// What a reload can't do: it says so.
	e.write(strings.Replace(e.configText(), "asn: 64512", "asn: 64513", 1))
	if err := e.node.Reload(); err == nil || !strings.Contains(err.Error(), "restart") {
		t.Errorf("another ASN: %v", err)
	}
	// A port in use: the new listener can't be had, so nothing changes.
	busy := e.origin.Listener.Addr().String()
	e.write(strings.Replace(e.configText(), fmt.Sprintf("http: %d", e.plainHTTP), "http: "+busy[strings.LastIndex(busy, ":")+1:], 1))
	if err := e.node.Reload(); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a port in use: %v", err)
	}
	if _, content := e.getBy(connection, "shop.example.com", "/"); content != first {
		t.Errorf("after the refused reloads: %q", content)
	}

	// A good one: a new host, another plain port; connections, cache and session stay.
	flaps := e.node.speakers.Peers()[0].Flaps
	other := unusedPort(t)
	text := strings.Replace(e.configText(), "localhost]", "localhost, new.example.com]", 1)
	e.write(strings.Replace(text, fmt.Sprintf("http: %d", e.plainHTTP), fmt.Sprintf("http: %d", other), 1))
	if err := e.node.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, content := e.getBy(connection, "shop.example.com", "/"); content != first {
		t.Errorf("the cache is gone: %q", content)
	}
	if resp, _ := e.getBy(connection, "new.example.com", "/"); resp.StatusCode != 200 {
		t.Errorf("the new host: %d", resp.StatusCode)
	}
	if e.level() != routing.Announced || len(e.router.Table()) != 1 || e.node.speakers.Peers()[0].Flaps != flaps {
		t.Errorf("the announcement moved: level %s, %v", e.level(), e.router.Table())
	}
	resp, err := http.DefaultTransport.RoundTrip(httptest.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/", other), nil))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func TestDrainAndUndrain(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	if code, out := e.command("drain", "www", "--reason", "a new switch"); code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	e.await("withdrawn", func() bool { return e.level() == routing.Withdrawn && len(e.router.Table()) == 0 })
	if _, out := e.command("explain"); !strings.Contains(out, "a new switch") {
		t.Errorf("explain doesn't give the reason:\n%s", out)
	}
	if resp, _ := e.get("HTTP/1.1", "shop.example.com", "/"); resp.StatusCode != 200 {
		t.Errorf("a drained VIP must still serve: %d", resp.StatusCode)
	}
	if code, out := e.command("undrain"); code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	e.awaitAnnounced()
}

// What explain --json printed decides again to the same, here and on any other machine.
func TestExplainReplays(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	if code, out := e.command("force", "www", "2", "--for", "1h", "--reason", "r"); code != exitGood {
		t.Fatal(out)
	}
	_, text := e.command("explain", "--json")
	file := filepath.Join(t.TempDir(), "then.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := command(t, "explain", "--replay", file); code != exitGood || !strings.Contains(out, "each as recorded") || !strings.Contains(out, "www: announced → depreferred: forced") {
		t.Errorf("%d %s", code, out)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, `"proven": true`, `"proven": false`)), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := command(t, "explain", "www", "--replay", file); code != exitBad || !strings.Contains(out, "recorded was:") || !strings.Contains(out, "give another decision") {
		t.Errorf("%d %s", code, out)
	}
	if code, out := command(t, "explain", "--replay", file+".none"); code != exitBad {
		t.Errorf("%d %s", code, out)
	}
}

func TestForceAndUnforce(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	for _, args := range [][]string{{"www", "two", "--for", "1h", "--reason", "r"}, {"www", "2", "--for", "1h"}, {"www", "2", "--reason", "r"}, {"www"}} {
		if code, out := e.command(append([]string{"force"}, args...)...); code != exitUsage {
			t.Errorf("force %v: %d %s", args, code, out)
		}
	}
	if code, out := e.command("force", "www", "3", "--for", "1h", "--reason", "r"); code != exitBad || !strings.Contains(out, "for all peers alike") {
		t.Errorf("%d %s", code, out)
	}
	code, out := e.command("force", "www", "4", "--for", "1h", "--reason", "the rack loses power")
	if code != exitGood || !strings.Contains(out, "www: withdrawn: forced: until") {
		t.Errorf("%d %s", code, out)
	}
	e.await("withdrawn", func() bool { return len(e.router.Table()) == 0 })
	if _, out := e.command("status"); !strings.Contains(out, "the rack loses power") {
		t.Errorf("status doesn't tell:\n%s", out)
	}
	for _, verb := range []string{"unforce", "undamp"} {
		if code, out := e.command(verb, "www"); code != exitGood {
			t.Errorf("%s: %d %s", verb, code, out)
		}
	}
	e.awaitAnnounced()
}

// The route must be gone while the listener still answers: whoever still comes is served.
func TestStopWithdrawsBeforeItCloses(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	e.stop()
	e.await("the route is gone", func() bool { return len(e.router.Table()) == 0 })
	if resp, _ := e.get("HTTP/1.1", "shop.example.com", "/"); resp.StatusCode != 200 {
		t.Errorf("after the withdrawal: %d", resp.StatusCode)
	}
	e.end()
}

// A file that the configuration names is a mistake at the place that names it, for check and run alike.
func TestMissingFilesHaveTheirPlace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "node.yaml")
	text := fmt.Sprintf(edgeConfig, 8443, 8080, dir, "http://127.0.0.1:1", 1790)
	text = strings.Replace(text, `"127.0.0.1:0"`, fmt.Sprintf(`"127.0.0.1:0", token_file: %[1]s/token, cert_file: %[1]s/admin.pem, key_file: %[1]s/admin.key`, dir), 1)
	text = strings.Replace(text, "/access.log", "/nowhere/access.log", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"check", "run"} {
		code, out := command(t, verb, "-c", file)
		if code != exitBad {
			t.Errorf("%s: %d", verb, code)
		}
		for _, want := range []string{
			":4:22: tls.certificates[0]: read the certificate " + dir + "/cert.pem",
			":16:44: admin.token_file: open " + dir + "/token: no such file",
			": admin.cert_file: " + dir + "/admin.pem with key_file " + dir + "/admin.key: open",
			":17:15: log.access: the access log's directory: ",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %s; want %q", verb, out, want)
			}
		}
	}
}

func TestUsage(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("node: {nam: x}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--help"}, exitGood, "anyedge demo"},
		{[]string{"version"}, exitGood, "anyedge "},
		{[]string{"nope"}, exitUsage, "unknown command"},
		{[]string{"run"}, exitUsage, "config"},
		{[]string{"run", "-c", bad, "more"}, exitUsage, "more"},
		{[]string{"status", "--nope"}, exitUsage, "--nope"},
		{[]string{"status", "--admin", "here"}, exitUsage, "--admin"},
		{[]string{"status", "--admin", "http://127.0.0.1:1"}, exitBad, "is anyedge running there"},
		{[]string{"purge"}, exitUsage, "url"},
		{[]string{"purge", "--all", "--tag", "x"}, exitUsage, "all"},
		{[]string{"check", "-c", bad}, exitBad, bad + ":1:8: node.nam: "},
		{[]string{"check", "-c", bad + "x"}, exitBad, "no such file"},
	} {
		if code, out := command(t, c.args...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%v: %d %s; want %d with %q", c.args, code, out, c.code, c.want)
		}
	}
}

func TestDemoTellsItsStory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 15 s")
	}
	var out bytes.Buffer
	if code := execute(t.Context(), []string{"demo", "--once"}, &out, &out); code != exitGood {
		t.Fatalf("%d\n%s", code, out.String())
	}
}

func unusedPort(t testing.TB) uint16 {
	t.Helper()
	p, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// writePair writes a certificate for hosts into dir, as cert.pem and key.pem.
func writePair(t testing.TB, dir string, hosts ...string) {
	t.Helper()
	pair, _, err := edgetls.SelfSigned(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Every metric of ours stands in the admin API's README with its type, and none that isn't there any more.
func TestMetricsAreDocumented(t *testing.T) {
	readme, err := os.ReadFile("../../proxy/admin/README.md")
	if err != nil {
		t.Fatal(err)
	}
	stated := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(anyedge_[a-z_]+)` \\| ([a-z]+) \\|").FindAllStringSubmatch(string(readme), -1) {
		stated[m[1]] = m[2]
	}
	e := newEdge(t)
	e.write(e.configText() + fmt.Sprintf("cache: {disk: {path: %s/cache, size: 16MiB}}\n", filepath.Dir(e.file)) + strings.Replace(e.steeringText(), "fleet: {", `fleet: {listen: "127.0.0.1:0", join: ["127.0.0.1:9"], `, 1))
	e.begin()
	e.awaitAnnounced()
	e.get("HTTP/2.0", "shop.example.com", "/")
	e.get("HTTP/3.0", "shop.example.com", "/")
	families, err := e.node.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range families {
		name := f.GetName()
		seen[name] = true
		if kind := strings.ToLower(f.GetType().String()); strings.HasPrefix(name, "anyedge_") && stated[name] != kind {
			t.Errorf("the README says of %s %q; it is a %s: %s", name, stated[name], kind, f.GetHelp())
		}
	}
	// These have no series until what they count has happened, or without a peer that has BFD, or another node.
	rare := map[string]bool{
		"anyedge_fleet_member_heard_seconds": true, "anyedge_fleet_member_purges_missing": true,
		"anyedge_fleet_member_rtt_seconds": true, "anyedge_fleet_member_verified": true,
		"anyedge_admission_refused_total": true, "anyedge_acme_orders_total": true, "anyedge_acme_storage_up": true, "anyedge_proxy_early_requests_total": true, "anyedge_proxy_client_certificates_total": true,
		"anyedge_bgp_bfd_up": true, "anyedge_bgp_bfd_failures_total": true, "anyedge_bgp_bfd_discarded_packets_total": true,
	}
	for name := range stated {
		if !seen[name] && !rare[name] && !strings.HasPrefix(name, "anyedge_rescue_") { // the rescue needs privileges; its own test holds it to the README
			t.Errorf("the README has %s, which the node has not", name)
		}
	}
}

// A name server beside the node is announced with a VIP of its own once it answers, and withdrawn when it doesn't.
func TestServiceBesideTheNode(t *testing.T) {
	e := newEdge(t)
	var rcode atomic.Int64
	at := nameServer(t, &rcode)
	rcode.Store(dns.RcodeServerFailure)
	e.replace = []string{"tls:", fmt.Sprintf(`  ns: {addresses: [127.0.0.3], announce: [203.0.113.0/24], probes: [{dns: "%s", query: "example.com. SOA"}]}
tls:`, at)}
	e.write(e.configText())
	e.begin()
	service := netip.MustParsePrefix("203.0.113.0/24")
	announced := func() bool {
		return slices.ContainsFunc(e.router.Table(), func(r bgptest.Route) bool { return r.Prefix == service })
	}

	e.await("the VIP beside is announced", func() bool { return len(e.router.Table()) == 1 })
	e.await("explain says what is waited for", func() bool {
		_, out := e.command("explain", "ns")
		return strings.Contains(out, "SERVFAIL") && strings.Contains(out, "once the service probe has succeeded")
	})
	if announced() {
		t.Error("announced before it answered")
	}
	rcode.Store(dns.RcodeSuccess)
	e.await("announced", announced)
	rcode.Store(dns.RcodeServerFailure)
	e.await("withdrawn", func() bool { return !announced() })
	if _, out := e.command("explain", "ns"); !strings.Contains(out, "service_probe") || !strings.Contains(out, "SERVFAIL") {
		t.Errorf("explain doesn't say why:\n%s", out)
	}
}

// nameServer answers every query with the response code that rcode holds, until the test ends.
func nameServer(t *testing.T, rcode *atomic.Int64) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: c, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, int(rcode.Load())))
	})}
	started, ended := make(chan struct{}), make(chan error, 1)
	s.NotifyStartedFunc = func() { close(started) }
	go func() { ended <- s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		if err := errors.Join(s.Shutdown(), <-ended); err != nil {
			t.Error(err)
		}
	})
	return c.LocalAddr().String()
}

// What is stored for a URL is told with its figures, and with what a request would get.
func TestExplainURL(t *testing.T) {
	e := startEdge(t)
	e.awaitAnnounced()
	code, out := e.command("explain", "--url", "https://shop.example.com/explained")
	if code != exitGood || !strings.Contains(out, "nothing is stored: the origin is asked") || !strings.Contains(out, "0 stored responses in memory") {
		t.Errorf("%d %s", code, out)
	}
	e.get("HTTP/2.0", "shop.example.com", "/explained")
	code, out = e.command("explain", "--url", "https://shop.example.com/explained", "--field", "Accept-Language: de")
	for _, want := range []string{"\nhit: fresh\n", "status    200, ", " in memory", "lifetime  ", "so fresh for another", "1 stored response in memory"} {
		if code != exitGood || !strings.Contains(out, want) {
			t.Errorf("%d; want %q in\n%s", code, want, out)
		}
	}
	if code, out := e.command("purge", "--url", "https://shop.example.com/explained", "--soft"); code != exitGood {
		t.Fatalf("%d %s", code, out)
	}
	if _, out := e.command("explain", "--url", "https://shop.example.com/explained"); !strings.Contains(out, "stale by a soft purge") || !strings.Contains(out, "the origin is asked first") {
		t.Errorf("after a soft purge:\n%s", out)
	}
	if code, out := e.command("explain", "--url", "/explained"); code != exitBad || !strings.Contains(out, "not a whole http or https URL") {
		t.Errorf("%d %s", code, out)
	}
}
