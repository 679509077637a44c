package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anyedge/anyedge/tls/acme"
	"github.com/anyedge/anyedge/tls/acme/acmetest"
)

// TestCertificateByACME: a node without any certificate is announced by its plain port, so that the authority can reach
// it, gets one, serves it, and shows what the authority says of a name that it refuses.
func TestCertificateByACME(t *testing.T) {
	e := newEdge(t)
	ca := acmetest.Start(t, acmetest.Options{
		HTTPPort: int(e.plainHTTP), TLSPort: int(e.https), Resolver: acmetest.StartDNS(t, "127.0.0.1").Address(),
	})
	ca.Break(acmetest.Refuse(http.StatusTooManyRequests, "rateLimited", "come back later"))
	dir := filepath.Dir(e.file)
	e.replace = []string{
		fmt.Sprintf("certificates: [{cert: %[1]s/cert.pem, key: %[1]s/key.pem}]", dir),
		fmt.Sprintf("acme: {storage: %s/acme, authorities: [{directory: %q, root_file: %q}]}", dir, ca.Directory(), ca.RootFile()),
	}
	e.write(e.configText())
	e.begin()
	e.awaitAnnounced()
	e.await("the authority's words", func() bool {
		_, text := e.command("status")
		return strings.Contains(text, ca.Name()+": rateLimited: come back later")
	})
	ca.Break(nil)
	if err := e.node.Reload(); err != nil { // whoever reloads doesn't want to wait
		t.Fatal(err)
	}
	e.await("the certificate", func() bool {
		c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.https), &tls.Config{ServerName: "shop.example.com", InsecureSkipVerify: true})
		if err != nil {
			return false
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].VerifyHostname("shop.example.com") == nil
	})
	s := e.node.Status().(Status)
	if len(s.Certificates) != 1 || s.Certificates[0].Authority != ca.Name() || len(s.ACME) != 1 || s.ACME[0].State != acme.Good {
		t.Errorf("%+v %+v", s.Certificates, s.ACME)
	}
	e.await("self checks over TLS", func() bool { return !strings.Contains(*e.node.checked.Load(), "true") })
	e.hidesKeys(filepath.Join(dir, "acme"))
}

// TestCertificateOnDemand: a node whose only site has a wildcard is announced by its plain port, obtains a certificate for the
// name that a client comes with, since the endpoint allows it, checks itself by that name, and obtains none for others.
func TestCertificateOnDemand(t *testing.T) {
	e := newEdge(t)
	ca := acmetest.Start(t, acmetest.Options{
		HTTPPort: int(e.plainHTTP), TLSPort: int(e.https), Resolver: acmetest.StartDNS(t, "127.0.0.1").Address(),
	})
	var refused atomic.Int64
	known := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("domain") != "one.shop.example.com" {
			refused.Add(1)
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(known.Close)
	dir := filepath.Dir(e.file)
	e.replace = []string{
		fmt.Sprintf("certificates: [{cert: %[1]s/cert.pem, key: %[1]s/key.pem}]", dir),
		fmt.Sprintf("acme: {storage: %s/acme, authorities: [{directory: %q, root_file: %q}], on_demand: {ask: %q}}", dir, ca.Directory(), ca.RootFile(), known.URL),
		"hosts: [shop.example.com, localhost]", `hosts: ["*.shop.example.com"]`,
	}
	e.write(e.configText())
	e.begin()
	e.awaitAnnounced()
	served := func(name string) bool {
		c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.https), &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			return false
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].VerifyHostname(name) == nil
	}
	e.await("another name is refused", func() bool { return !served("two.shop.example.com") && refused.Load() > 0 })
	e.await("the certificate", func() bool { return served("one.shop.example.com") })
	e.await("self checks over TLS", func() bool { return strings.Contains(*e.node.checked.Load(), "www one.shop.example.com false") })
	served("elsewhere.example.net")
	if s := e.node.Status().(Status); len(s.ACME) != 1 || s.ACME[0].Name != "one.shop.example.com" {
		t.Errorf("%+v", s.ACME)
	}
	if n := ca.Orders(); n != 1 {
		t.Errorf("%d orders", n)
	}
	if _, out := e.command("certs"); !strings.Contains(out, "one.shop.example.com") || !strings.Contains(out, "on demand; to be renewed") {
		t.Errorf("certs says:\n%s", out)
	}
}

// hidesKeys holds what the admin API says against the private keys below dir.
func (e *edge) hidesKeys(dir string) {
	e.t.Helper()
	said := ""
	for _, path := range []string{"/v1/status", "/v1/certs", "/v1/config", "/v1/events", "/metrics", "/debug/pprof/cmdline"} {
		r, err := http.Get(e.admin + path)
		if err != nil {
			e.t.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK {
			e.t.Fatalf("%s: %d, %v", path, r.StatusCode, err)
		}
		said += string(text)
	}
	keys := 0
	err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		if err != nil || filepath.Ext(path) != ".key" {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "-----") || line == "" {
				continue
			}
			keys++
			if strings.Contains(said, line) {
				e.t.Errorf("the admin API shows a line of %s", path)
			}
		}
		return err
	})
	if err != nil || keys < 3 {
		e.t.Errorf("%d lines of keys: the test looks at the wrong place: %v", keys, err)
	}
}

// TestCertificatesTogether: nodes of a fleet obtain one certificate together, whichever of them the authority reaches, and
// both serve it.
func TestCertificatesTogether(t *testing.T) {
	var ca *acmetest.CA
	a, b := startJoined(t, func(e *edge) {
		if ca == nil {
			ca = acmetest.Start(t, acmetest.Options{
				HTTPPort: int(e.plainHTTP), TLSPort: int(e.https), Resolver: acmetest.StartDNS(t, "127.0.0.51", "127.0.0.52").Address(),
			})
		}
		dir := filepath.Dir(e.file)
		e.replace = append(e.replace,
			fmt.Sprintf("certificates: [{cert: %[1]s/cert.pem, key: %[1]s/key.pem}]", dir),
			fmt.Sprintf("acme: {storage: %s/acme, authorities: [{directory: %q, root_file: %q}]}", dir, ca.Directory(), ca.RootFile()))
	})
	serial := func(e *edge) string {
		c, err := tls.Dial("tcp", fmt.Sprintf("%s:%d", e.node.config().VIPs["www"].Addresses[0], e.https), &tls.Config{ServerName: "shop.example.com", InsecureSkipVerify: true})
		if err != nil {
			return ""
		}
		defer c.Close()
		leaf := c.ConnectionState().PeerCertificates[0]
		if leaf.VerifyHostname("shop.example.com") != nil {
			return ""
		}
		return leaf.SerialNumber.String()
	}
	a.await("both serve one certificate", func() bool { return serial(a) != "" && serial(a) == serial(b) })
	for _, e := range []*edge{a, b} {
		e.await("its status is good", func() bool {
			s := e.node.Status().(Status)
			return len(s.ACME) == 1 && s.ACME[0].State == acme.Good
		})
		e.hidesKeys(filepath.Join(filepath.Dir(e.file), "acme"))
	}
}
