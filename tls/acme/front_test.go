package acme_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/health"
	edgetls "github.com/anyedge/anyedge/tls"
	"github.com/anyedge/anyedge/tls/acme"
	"github.com/anyedge/anyedge/tls/acme/acmetest"
)

// front is what an authority reaches: a plain port and a TLS port. It outlives managers, as addresses outlive processes.
type front struct {
	t          *testing.T
	store      *edgetls.Store
	challenges acme.Challenges
	names      *acmetest.DNS
	http, tls  net.Listener
}

func startFront(t *testing.T) *front {
	t.Helper()
	return startFrontAt(t, "127.0.0.1:0", "127.0.0.1:0", acme.NewLocal())
}

func startFrontAt(t *testing.T, plain, secure string, c acme.Challenges) *front {
	t.Helper()
	store, err := edgetls.Load(edgetls.Options{MinVersion: "1.2"})
	must(t, err)
	store.AnswerChallenges(c.Certificate)
	f := &front{t: t, store: store, challenges: c, names: acmetest.StartDNS(t, "127.0.0.1")}
	f.http, err = net.Listen("tcp", plain)
	must(t, err)
	f.tls, err = tls.Listen("tcp", secure, store.Config())
	must(t, err)
	elsewhere := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "redirected", http.StatusPermanentRedirect)
	})
	s := &http.Server{Handler: acme.Handler(c, elsewhere)}
	go func() { _ = s.Serve(f.http) }() // ends with Close
	t.Cleanup(func() { _ = s.Close() })
	go f.shake()
	t.Cleanup(func() { _ = f.tls.Close() })
	return f
}

// shake makes handshakes and no more.
func (f *front) shake() {
	for {
		c, err := f.tls.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			_ = c.(*tls.Conn).Handshake()
		}()
	}
}

func (f *front) httpPort() int { return f.http.Addr().(*net.TCPAddr).Port }
func (f *front) tlsPort() int  { return f.tls.Addr().(*net.TCPAddr).Port }

// served is the certificate that a client gets, or nil.
func (f *front) served(name string) *x509.Certificate {
	c, err := tls.Dial("tcp", f.tls.Addr().String(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return nil
	}
	defer c.Close()
	if leaf := c.ConnectionState().PeerCertificates[0]; leaf.VerifyHostname(name) == nil {
		return leaf
	}
	return nil
}

// manager is a Manager under test, with all that it says.
type manager struct {
	*acme.Manager
	t        *testing.T
	journal  *health.Journal
	registry *prometheus.Registry
	log      *output
	stop     context.CancelFunc
	ended    chan struct{}
}

// start runs a manager for front until the test's end.
func start(t *testing.T, f *front, o acme.Options, hosts ...string) *manager {
	t.Helper()
	return startWith(t, f, o, func(*acme.Config) {}, hosts...)
}

func startWith(t *testing.T, f *front, o acme.Options, adjust func(*acme.Config), hosts ...string) *manager {
	t.Helper()
	m := &manager{t: t, journal: health.NewJournal(256), registry: prometheus.NewRegistry(), log: &output{}, ended: make(chan struct{})}
	c := acme.Config{
		Challenges: f.challenges, Publish: f.store.SetManaged, Registry: m.registry, Journal: m.journal,
		Log:      slog.New(slog.NewTextHandler(m.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Interval: 200 * time.Millisecond, Retry: []time.Duration{200 * time.Millisecond},
	}
	adjust(&c)
	m.Manager = acme.NewManager(c)
	must(t, m.Configure(&o, hosts))
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	go func() { defer close(m.ended); _ = m.Run(ctx) }()
	t.Cleanup(m.end)
	return m
}

func (m *manager) end() {
	m.stop()
	<-m.ended
	if m.t.Failed() {
		m.t.Log(m.log.String())
	}
}

func (m *manager) of(name string) acme.Status {
	for _, s := range m.Status() {
		if s.Name == name {
			return s
		}
	}
	return acme.Status{}
}

// options are those of a manager with a storage of its own.
func options(t *testing.T, list ...*authority) acme.Options {
	t.Helper()
	var o acme.Options
	o.SetDefaults()
	o.Storage = filepath.Join(t.TempDir(), "acme")
	for _, a := range list {
		o.Authorities = append(o.Authorities, a.option())
	}
	return o
}

// patience is how long a test waits for what must come, on a machine that does much else.
const patience = 3 * time.Minute

func await(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !met(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// output is a log that tests read.
type output struct {
	mu   sync.Mutex // guards the following field
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// get asks the plain port.
func (f *front) get(host, path string) (int, string) {
	f.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+f.http.Addr().String()+path, nil)
	must(f.t, err)
	r.Host = host
	answer, err := http.DefaultTransport.RoundTrip(r)
	must(f.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(f.t, err)
	return answer.StatusCode, string(text)
}

// storedFile finds the one file of the storage with that ending.
func storedFile(t *testing.T, o acme.Options, name, ending string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(o.Storage, "certificates", "*", name, name+ending))
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("%d files of %s%s", len(list), name, ending)
	}
	return list[0]
}

// secrets are the texts of all private keys of the storage, in PEM and without its lines.
func secrets(t *testing.T, o acme.Options) (list []string) {
	t.Helper()
	must(t, filepath.Walk(o.Storage, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() || !strings.HasSuffix(path, ".key") {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); len(line) > 20 && !strings.Contains(line, "-----") {
				list = append(list, line)
			}
		}
		return err
	}))
	return list
}
