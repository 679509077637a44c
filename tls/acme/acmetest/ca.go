// Package acmetest runs Pebble, a real ACME authority, inside a test, with faults; and the DNS that it asks.
package acmetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// hasten makes Pebble quick, and validate each time anew: it reads its environment for that.
var hasten = sync.OnceFunc(func() {
	_ = os.Setenv("PEBBLE_VA_NOSLEEP", "1")
	_ = os.Setenv("PEBBLE_AUTHZREUSE", "0")
})

// CA is Pebble, with faults.
type CA struct {
	t      testing.TB
	server *httptest.Server
	admin  http.Handler
	root   string // a file
	orders atomic.Int64
	joined atomic.Int64
	ahead  atomic.Int64                     // of our clock, in nanoseconds
	fault  atomic.Pointer[http.HandlerFunc] // answers new orders in Pebble's place
	lost   atomic.Pointer[http.HandlerFunc] // answers those that replace a certificate
}

// Options are what tests vary.
type Options struct {
	HTTPPort, TLSPort int               // where it looks for http-01 and tls-alpn-01
	Resolver          string            // the DNS server that it asks, over TCP
	Validity          time.Duration     // of certificates; 0: 90 days
	Externals         map[string]string // accounts that are known: HMAC keys by their IDs; those alone are taken
	OCSP              string            // the URL of the OCSP responder that certificates name; empty: none
}

// pebble is an authority's API, and its management's.
func (o *Options) pebble(quiet *log.Logger) (api, admin http.Handler, err error) {
	hasten()
	store := db.NewMemoryStore()
	for id, key := range o.Externals {
		if err := store.AddExternalAccountKeyByID(id, key); err != nil {
			return nil, nil, err
		}
	}
	profiles := map[string]ca.Profile{"default": {ValidityPeriod: uint64(o.Validity / time.Second)}}
	authorities := ca.New(quiet, store, o.OCSP, "ecdsa", 0, 1, profiles)
	validation := va.New(quiet, o.HTTPPort, o.TLSPort, true, o.Resolver, store)
	front := wfe.New(quiet, store, validation, authorities, []string{"pebble.test"}, true, len(o.Externals) > 0, 1, 1)
	return front.Handler(), front.ManagementHandler(), nil
}

// Start starts an authority, until the test's end.
func Start(t testing.TB, o Options) *CA {
	t.Helper()
	quiet := log.New(io.Discard, "", 0)
	api, admin, err := o.pebble(quiet)
	must(t, err)
	a := &CA{t: t, admin: admin}
	a.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Duration(a.ahead.Load())).UTC().Format(http.TimeFormat))
		fault := a.fault.Load()
		if lost := a.lost.Load(); lost != nil && r.URL.Path == newOrder && replaces(r) {
			fault = lost
		}
		if fault == nil || r.URL.Path != newOrder {
			a.count(api, w, r)
			return
		}
		a.orders.Add(1)
		(*fault)(w, r)
	}))
	a.server.Config.ErrorLog = quiet
	a.server.StartTLS()
	t.Cleanup(a.server.Close)
	a.root = filepath.Join(t.TempDir(), "root.pem")
	must(t, os.WriteFile(a.root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.server.Certificate().Raw}), 0o600))
	return a
}

// Directory is the URL of its ACME directory.
func (a *CA) Directory() string { return a.server.URL + "/dir" }

// RootFile is the file, in PEM, of whom its server's certificate comes from.
func (a *CA) RootFile() string { return a.root }

// Name is its host and port.
func (a *CA) Name() string { return strings.TrimPrefix(a.server.URL, "https://") }

// Orders is how many were placed, those among them that Break's function has answered.
func (a *CA) Orders() int64 { return a.orders.Load() }

// Where Pebble takes accounts and orders.
const (
	newAccount = "/sign-me-up"
	newOrder   = "/order-plz"
)

// count counts accounts and orders that are made: a request may fail for its nonce, and be repeated.
func (a *CA) count(api http.Handler, w http.ResponseWriter, r *http.Request) {
	n := &noted{ResponseWriter: w}
	api.ServeHTTP(n, r)
	switch {
	case n.status != http.StatusCreated:
	case r.URL.Path == newAccount:
		a.joined.Add(1)
	case r.URL.Path == newOrder:
		a.orders.Add(1)
	}
}

// noted keeps a response's status.
type noted struct {
	http.ResponseWriter
	status int
}

func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// Accounts is how many were registered.
func (a *CA) Accounts() int64 { return a.joined.Load() }

// Close ends it before the test does.
func (a *CA) Close() { a.server.Close() }

// Break lets f answer new orders; nil mends it.
func (a *CA) Break(f http.HandlerFunc) {
	if f == nil {
		a.fault.Store(nil)
		return
	}
	a.fault.Store(&f)
}

// BreakReplacing lets f answer orders that name the certificate that they replace (RFC 9773, section 5).
func (a *CA) BreakReplacing(f http.HandlerFunc) { a.lost.Store(&f) }

// replaces is whether an order names a certificate that it replaces; r can be read anew.
func replaces(r *http.Request) bool {
	text, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(text))
	var signed struct{ Payload string }
	if err != nil || json.Unmarshal(text, &signed) != nil {
		return false
	}
	order, err := base64.RawURLEncoding.DecodeString(signed.Payload)
	return err == nil && bytes.Contains(order, []byte(`"replaces"`))
}

// SetClock has it tell a time that is ahead of ours.
func (a *CA) SetClock(ahead time.Duration) { a.ahead.Store(int64(ahead)) }

// Refuse answers with a problem document.
func Refuse(status int, kind, detail string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "urn:ietf:params:acme:error:" + kind, "detail": detail, "status": status})
	}
}

// RenewNow has the authority wish that a certificate be renewed at once (RFC 9773).
func (a *CA) RenewNow(certificate []byte) {
	a.t.Helper()
	now := time.Now()
	info := map[string]any{"suggestedWindow": map[string]any{"start": now.Add(-2 * time.Hour), "end": now.Add(-time.Hour)}}
	ari, err := json.Marshal(info)
	must(a.t, err)
	body, err := json.Marshal(map[string]string{
		"certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})), "ariResponse": string(ari),
	})
	must(a.t, err)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/set-renewal-info/", bytes.NewReader(body))
	r.Header.Set("User-Agent", "test")
	a.admin.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		a.t.Fatalf("set-renewal-info: %d %s", w.Code, w.Body)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
