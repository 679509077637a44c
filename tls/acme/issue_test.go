package acme_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyedge/anyedge/tls/acme"
	"github.com/anyedge/anyedge/tls/acme/acmetest"
)

// TestIssuance: each kind of challenge alone gets a certificate from a real authority, over the ports that serve.
func TestIssuance(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{acme.HTTP01, acme.TLSALPN01} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f := startFront(t)
			a := startCA(t, f, acmetest.Options{})
			o := options(t, a)
			o.Challenges, o.Email = []string{kind}, "ops@example.com"
			m := start(t, f, o, "shop.example.com", "img.example.com")
			for _, host := range []string{"shop.example.com", "img.example.com"} {
				await(t, host+" is served", func() bool { return f.served(host) != nil })
				await(t, "status", func() bool { return m.of(host).State == acme.Good })
			}
			s := m.of("shop.example.com")
			if leaf := f.served("shop.example.com"); !s.Until.Equal(leaf.NotAfter) || !s.Renewal.After(time.Now()) || s.Renewal.After(s.Until) {
				t.Errorf("%+v", s)
			}
			if !strings.HasPrefix(s.Authority, "127.0.0.1:") {
				t.Errorf("authority %q", s.Authority)
			}
			keepsSecrets(t, m, o)
		})
	}
}

// keepsSecrets holds what is said against the private keys.
func keepsSecrets(t *testing.T, m *manager, o acme.Options) {
	t.Helper()
	list := secrets(t, o)
	if len(list) < 4 {
		t.Fatalf("%d lines of keys: the test looks at the wrong place", len(list))
	}
	said := m.log.String()
	for _, e := range m.journal.Since(0) {
		said += e.Text
	}
	for _, secret := range list {
		if strings.Contains(said, secret) {
			t.Errorf("a private key is in the log: %s", secret)
		}
	}
}

// TestNothingElseIsAnswered: only what is under way is, and for its own host.
func TestNothingElseIsAnswered(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	c := acme.Challenge{Type: acme.HTTP01, Name: "shop.example.com", Token: "tok", KeyAuthorization: "tok.thumb"}
	must(t, f.challenges.Put(t.Context(), c))
	const path = "/.well-known/acme-challenge/"
	for _, q := range []struct {
		host, path string
		want       int
	}{
		{"shop.example.com", path + "tok", http.StatusOK},
		{"SHOP.example.com:80", path + "tok", http.StatusOK},
		{"other.example.com", path + "tok", http.StatusPermanentRedirect},
		{"shop.example.com", path + "other", http.StatusPermanentRedirect},
		{"shop.example.com", path, http.StatusPermanentRedirect},
		{"shop.example.com", "/.well-known/", http.StatusPermanentRedirect},
		{"shop.example.com", "/", http.StatusPermanentRedirect},
	} {
		if code, text := f.get(q.host, q.path); code != q.want || code == http.StatusOK && text != "tok.thumb" {
			t.Errorf("%s %s: %d %q", q.host, q.path, code, text)
		}
	}
	f.challenges.Delete(t.Context(), c)
	if code, _ := f.get("shop.example.com", path+"tok"); code != http.StatusPermanentRedirect {
		t.Errorf("answered after its end: %d", code)
	}
}

// TestRenewal: at the time that the authority wishes, and before the end.
func TestRenewal(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	a := startCA(t, f, acmetest.Options{})
	o := options(t, a)
	m := start(t, f, o, "shop.example.com")
	await(t, "the first certificate", func() bool { return f.served("shop.example.com") != nil })
	first := f.served("shop.example.com")
	m.end()

	// The authority's wish is read again when the time has come that it named.
	a.RenewNow(first.Raw)
	ageRenewalInfo(t, storedFile(t, o, "shop.example.com", ".json"))
	start(t, f, o, "shop.example.com")
	await(t, "another certificate", func() bool {
		c := f.served("shop.example.com")
		return c != nil && c.SerialNumber.Cmp(first.SerialNumber) != 0
	})
}

// TestReplacedIsDisputed: an authority that won't have an order for the certificate that it replaces gets it without.
func TestReplacedIsDisputed(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"alreadyReplaced", "serverInternal"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f := startFront(t)
			a := startCA(t, f, acmetest.Options{Validity: 4 * time.Second})
			var disputed atomic.Int64
			a.BreakReplacing(func(w http.ResponseWriter, r *http.Request) {
				disputed.Add(1)
				acmetest.Refuse(http.StatusConflict, kind, "there is no such certificate")(w, r)
			})
			m := start(t, f, options(t, a), "shop.example.com")
			await(t, "the first certificate", func() bool { return f.served("shop.example.com") != nil })
			first := f.served("shop.example.com")
			await(t, "another certificate", func() bool {
				c := f.served("shop.example.com")
				return c != nil && c.SerialNumber.Cmp(first.SerialNumber) != 0
			})
			if disputed.Load() == 0 || len(refusals(m)) > 0 {
				t.Errorf("%d orders disputed:\n%s", disputed.Load(), m.log.String())
			}
		})
	}
}

func TestRenewalBeforeTheEnd(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	a := startCA(t, f, acmetest.Options{Validity: 4 * time.Second})
	m := start(t, f, options(t, a), "shop.example.com")
	await(t, "the first certificate", func() bool { return f.served("shop.example.com") != nil })
	first := f.served("shop.example.com")
	await(t, "another certificate", func() bool {
		c := f.served("shop.example.com")
		return c != nil && c.SerialNumber.Cmp(first.SerialNumber) != 0
	})
	if refused := refusals(m); len(refused) > 0 {
		t.Errorf("failures: %v", refused)
	}
}
