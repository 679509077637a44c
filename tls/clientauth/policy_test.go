package clientauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/tls/clientauth"
)

func TestVerify(t *testing.T) {
	root := issue(t, "root", nil, authority)
	between := issue(t, "between", root, authority)
	other := issue(t, "other root", nil, authority)
	now, soon := time.Now(), time.Now().Add(30*time.Minute)
	dir := t.TempDir()
	alice, bob := issue(t, "alice", between), issue(t, "bob", between)
	direct := issue(t, "direct", root)
	server := issue(t, "a server's", between, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	expired := issue(t, "expired", root, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) })
	early := issue(t, "early", root, func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) })
	stranger := issue(t, "stranger", other)
	self := issue(t, "self-signed", nil)
	lists := []string{between.crl(t, filepath.Join(dir, "between.crl"), soon, bob), root.crl(t, filepath.Join(dir, "root.crl"), soon)}
	p := load(t, options(bundle(t, root, between), lists...))
	for name, tt := range map[string]struct {
		state *tls.ConnectionState
		want  string // what the error says; empty: taken
	}{
		"good":                  {alice.state(), ""},
		"good, with its issuer": {alice.state(between), ""},
		"of the root":           {direct.state(), ""},
		"revoked":               {bob.state(), "was revoked by CN=between"},
		"revoked, with issuer":  {bob.state(between), "was revoked"},
		"a server's":            {server.state(), "key usage"},
		"expired":               {expired.state(), "expired"},
		"not valid yet":         {early.state(), "not yet valid"},
		"of another":            {stranger.state(), "unknown authority"},
		"of another, with root": {stranger.state(other), "unknown authority"},
		"of itself":             {self.state(), "unknown authority"},
		"none":                  {&tls.ConnectionState{}, "no certificate"},
		"no TLS":                {nil, "no certificate"},
	} {
		for range 2 { // the second answer comes from what is remembered
			client, err := p.Verify(tt.state, now)
			if tt.want == "" && (err != nil || client == nil) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%s: %v, want %q", name, err, tt.want)
			}
		}
	}
	if _, err := p.Verify(alice.state(), now.Add(31*time.Minute)); err == nil || !strings.Contains(err.Error(), "due to be renewed") {
		t.Errorf("a list past its time: %v", err)
	}
	o := options(bundle(t, root, between), lists...)
	o.ExpiredCRL = clientauth.UseExpired
	lenient := load(t, o)
	later := now.Add(31 * time.Minute)
	if _, err := lenient.Verify(alice.state(), later); err != nil {
		t.Errorf("a list past its time that is used: %v", err)
	}
	if _, err := lenient.Verify(bob.state(), later); err == nil {
		t.Error("what a list past its time lists is taken")
	}
}

func TestRevokedBetween(t *testing.T) {
	root := issue(t, "root", nil, authority)
	between := issue(t, "between", root, authority)
	alice := issue(t, "alice", between)
	list := root.crl(t, filepath.Join(t.TempDir(), "root.crl"), time.Now().Add(time.Hour), between)
	for name, ca := range map[string]string{"in the bundle": bundle(t, root, between), "shown by the client": bundle(t, root)} {
		if _, err := load(t, options(ca, list)).Verify(alice.state(between), time.Now()); err == nil || !strings.Contains(err.Error(), "revoked") {
			t.Errorf("an authority %s that was revoked: %v", name, err)
		}
	}
	alone := load(t, options(bundle(t, between)))
	if _, err := alone.Verify(alice.state(), time.Now()); err != nil {
		t.Errorf("an authority without its issuer isn't trusted by itself: %v", err)
	}
	if _, err := alone.Verify(issue(t, "direct", root).state(), time.Now()); err == nil {
		t.Error("its issuer is trusted as well")
	}
}

func TestOptional(t *testing.T) {
	root := issue(t, "root", nil, authority)
	o := options(bundle(t, root))
	o.Mode = clientauth.Optional
	p := load(t, o)
	for _, state := range []*tls.ConnectionState{nil, {}} {
		if client, err := p.Verify(state, time.Now()); client != nil || err != nil {
			t.Errorf("without a certificate: %v, %v", client, err)
		}
	}
	if client, err := p.Verify(issue(t, "alice", root).state(), time.Now()); err != nil || client.Subject != "CN=alice" {
		t.Errorf("with one: %v, %v", client, err)
	}
	if _, err := p.Verify(issue(t, "x", nil).state(), time.Now()); err == nil {
		t.Error("with a bad one: taken")
	}
	if _, err := load(t, options(bundle(t, root))).Verify(nil, time.Now()); !errors.Is(err, clientauth.ErrNoCertificate) {
		t.Errorf("required: %v", err)
	}
}

// The values are those of RFC 9440, section 2: byte sequences, the chain without the leaf.
func TestFields(t *testing.T) {
	root := issue(t, "root", nil, authority)
	between := issue(t, "between", root, authority)
	alice := issue(t, "alice", between)
	want := func(h *holder) string { return ":" + base64.StdEncoding.EncodeToString(h.cert.Raw) + ":" }
	client, err := load(t, options(bundle(t, root))).Verify(alice.state(between), time.Now())
	must(t, err)
	if client.Cert != want(alice) || client.Chain != want(between) {
		t.Errorf("%+v", client)
	}
	client, err = load(t, options(bundle(t, between))).Verify(alice.state(between), time.Now())
	must(t, err)
	if client.Chain != "" {
		t.Errorf("the chain has the root: %q", client.Chain)
	}
}

func TestReload(t *testing.T) {
	root, second := issue(t, "root", nil, authority), issue(t, "second", nil, authority)
	alice, bob := issue(t, "alice", root), issue(t, "bob", second)
	ca := bundle(t, root)
	list := root.crl(t, filepath.Join(t.TempDir(), "root.crl"), time.Now().Add(time.Hour))
	p := load(t, options(ca, list))
	takes := func(h *holder) bool {
		_, err := p.Verify(h.state(), time.Now())
		return err == nil
	}
	if !takes(alice) || takes(bob) {
		t.Fatal("before")
	}
	if changed, err := p.Reload(); changed || err != nil {
		t.Errorf("nothing has changed: %v, %v", changed, err)
	}
	root.crl(t, list, time.Now().Add(time.Hour), alice)
	if changed, err := p.Reload(); !changed || err != nil || takes(alice) {
		t.Errorf("revoked: %v, %v, taken %v", changed, err, takes(alice))
	}
	write(t, list, []byte("half a li"))
	if _, err := p.Reload(); err == nil || takes(alice) {
		t.Errorf("a broken list: %v", err)
	}
	if _, err := p.Reload(); err == nil {
		t.Error("a broken list is no longer reported")
	}
	root.crl(t, list, time.Now().Add(-time.Minute), alice)
	_, err := p.Reload()
	must(t, err)
	s := p.Status(time.Now())
	if len(s.Lists) != 1 || s.Lists[0].Revoked != 1 || !strings.Contains(s.Lists[0].Warning, "past its time") {
		t.Errorf("status: %+v", s)
	}
	write(t, ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: second.cert.Raw}))
	if _, err := p.Reload(); err == nil || !strings.Contains(err.Error(), "isn't among the authorities") {
		t.Errorf("a list of nobody: %v", err)
	}
}

func TestMistakes(t *testing.T) {
	root, other := issue(t, "root", nil, authority), issue(t, "other", nil, authority)
	ca, dir, hour := bundle(t, root), t.TempDir(), time.Now().Add(time.Hour)
	good := root.crl(t, filepath.Join(dir, "root.crl"), hour)
	for name, tt := range map[string]struct {
		o    clientauth.Options
		want string
	}{
		"no file":       {options(filepath.Join(dir, "none")), "no such file"},
		"no PEM":        {options(write(t, filepath.Join(dir, "x"), []byte("x"))), "holds no PEM certificate"},
		"a leaf":        {options(bundle(t, issue(t, "alice", root))), "isn't an authority's"},
		"no list":       {options(ca, filepath.Join(dir, "none")), "no such file"},
		"not a list":    {options(ca, ca), "holds no revocation list"},
		"another's":     {options(ca, other.crl(t, filepath.Join(dir, "other.crl"), hour)), "isn't among the authorities"},
		"the same two":  {options(ca, good, good), "name one of them"},
		"a forged list": {options(ca, root.forge(t, filepath.Join(dir, "forged.crl"))), "hasn't signed it"},
	} {
		if _, err := clientauth.Load(tt.o, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// forge writes a list in the name of h, with another's key.
func (h *holder) forge(t *testing.T, file string) string {
	t.Helper()
	impostor := issue(t, h.cert.Subject.CommonName, nil, authority)
	return impostor.crl(t, file, time.Now().Add(time.Hour))
}
