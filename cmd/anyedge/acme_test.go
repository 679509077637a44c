package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
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

// hidesKeys holds what the admin API says against the private keys below dir.
func (e *edge) hidesKeys(dir string) {
	e.t.Helper()
	said := ""
	for _, path := range []string{"/v1/status", "/v1/config", "/v1/events", "/metrics", "/debug/pprof/cmdline"} {
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
