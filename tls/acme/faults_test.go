package acme_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/tls/acme"
	"github.com/anyedge/anyedge/tls/acme/acmetest"
)

// TestAuthorityFails: whatever is wrong with it is told in its words, others are served meanwhile, and when it is well
// again the certificate comes.
func TestAuthorityFails(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for _, c := range []struct {
		name  string
		fault http.HandlerFunc
		want  string
		count string // the outcome that is counted
	}{
		{"down", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF", "unreachable"},
		{"refusing", acmetest.Refuse(http.StatusForbidden, "rejectedIdentifier", "policy forbids shop.example.com"), "rejectedIdentifier: policy forbids shop.example.com", "refused"},
		{"rate-limiting", acmetest.Refuse(http.StatusTooManyRequests, "rateLimited", "too many certificates already issued, retry after 2030-01-01"), "rateLimited: too many certificates already issued, retry after 2030-01-01", "rate_limited"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := startFront(t)
			a := startCA(t, f, acmetest.Options{})
			a.Break(c.fault)
			m := start(t, f, options(t, a), "shop.example.com")
			await(t, "the authority's words", func() bool { return strings.Contains(m.of("shop.example.com").Problem, c.want) })
			s := m.of("shop.example.com")
			if s.State != acme.Missing || s.Failures == 0 || s.NextTry.IsZero() || !strings.HasPrefix(s.Problem, "127.0.0.1:") {
				t.Errorf("%+v", s)
			}
			if n := m.counted(t, c.count); n == 0 {
				t.Errorf("no order counted as %s", c.count)
			}
			await(t, "a second try", func() bool { return m.of("shop.example.com").Failures > 1 })
			if n := strings.Count(m.events(), "not obtained"); n != 1 {
				t.Errorf("%d events of one failure", n)
			}
			a.Break(nil)
			await(t, "the certificate", func() bool { return f.served("shop.example.com") != nil })
			await(t, "all is good", func() bool { s := m.of("shop.example.com"); return s.State == acme.Good && s.Problem == "" })
		})
	}
}

// TestSlowAuthority: the others don't wait for it.
func TestSlowAuthority(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	a := startCA(t, f, acmetest.Options{})
	slow, held := make(chan struct{}), make(chan struct{}, 16)
	a.Break(func(_ http.ResponseWriter, r *http.Request) {
		held <- struct{}{}
		select {
		case <-slow:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	})
	o := options(t, a)
	m := start(t, f, o, "slow.example.com")
	<-held
	a.Break(nil)
	must(t, m.Configure(&o, []string{"slow.example.com", "shop.example.com"}))
	await(t, "the other's certificate", func() bool { return f.served("shop.example.com") != nil })
	close(slow)
	await(t, "its own", func() bool { return f.served("slow.example.com") != nil })
}

// TestUnreachableChallenge: the authority says why it doesn't believe us.
func TestUnreachableChallenge(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	a := startCA(t, f, acmetest.Options{})
	_ = f.http.Close()
	o := options(t, a)
	o.Challenges = []string{acme.HTTP01}
	m := start(t, f, o, "shop.example.com")
	await(t, "why", func() bool {
		p := m.of("shop.example.com").Problem
		return strings.Contains(p, "connection: ") && strings.Contains(p, "refused")
	})
}

func TestSecondAuthority(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	first, second := startCA(t, f, acmetest.Options{}), startCA(t, f, acmetest.Options{})
	first.Break(acmetest.Refuse(http.StatusServiceUnavailable, "serverInternal", "closed for maintenance"))
	m := start(t, f, options(t, first, second), "shop.example.com")
	await(t, "the certificate", func() bool { return f.served("shop.example.com") != nil })
	if s := m.of("shop.example.com"); s.Authority != second.Name() {
		t.Errorf("%+v", s)
	}
	if first.Orders() == 0 {
		t.Error("the first wasn't asked")
	}

	// Both fail: both are quoted.
	second.Break(acmetest.Refuse(http.StatusForbidden, "unauthorized", "who are you"))
	o := options(t, first, second)
	must(t, m.Configure(&o, []string{"img.example.com"}))
	await(t, "what both say", func() bool {
		p := m.of("img.example.com").Problem
		return strings.Contains(p, "closed for maintenance") && strings.Contains(p, "who are you")
	})
}

// TestRestartWithoutAuthority: what is stored is served before anything else happens.
func TestRestartWithoutAuthority(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	a := startCA(t, f, acmetest.Options{})
	o := options(t, a)
	m := start(t, f, o, "shop.example.com")
	await(t, "the certificate", func() bool { return f.served("shop.example.com") != nil })
	first := f.served("shop.example.com")
	m.end()
	a.Close()

	again := startFront(t)
	quiet := acme.NewManager(acme.Config{Challenges: again.challenges, Publish: again.store.SetManaged})
	must(t, quiet.Configure(&o, []string{"shop.example.com"}))
	if c := again.served("shop.example.com"); c == nil || c.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Error("the stored certificate isn't served by the time that Configure returns")
	}
	if s := start(t, again, o, "shop.example.com").of("shop.example.com"); s.State != acme.Good {
		t.Errorf("%+v", s)
	}
}

// TestBrokenStorage: what a crash or a full disk left is obtained anew.
func TestBrokenStorage(t *testing.T) {
	t.Parallel()
	for _, ending := range []string{".crt", ".key", ".json"} {
		for what, harm := range map[string]func(path string) error{
			"missing": os.Remove,
			"empty":   func(path string) error { return os.Truncate(path, 0) },
			"half":    func(path string) error { return os.Truncate(path, 100) },
		} {
			t.Run(what+ending, func(t *testing.T) {
				t.Parallel()
				f := startFront(t)
				a := startCA(t, f, acmetest.Options{})
				o := options(t, a)
				m := start(t, f, o, "shop.example.com")
				await(t, "the certificate", func() bool { return f.served("shop.example.com") != nil })
				first := f.served("shop.example.com")
				m.end()
				must(t, harm(storedFile(t, o, "shop.example.com", ending)))

				must(t, f.store.SetManaged(nil))
				start(t, f, o, "shop.example.com")
				await(t, "another certificate", func() bool {
					c := f.served("shop.example.com")
					return c != nil && c.SerialNumber.Cmp(first.SerialNumber) != 0
				})
			})
		}
	}
}

// TestStaleLock: that of a process which died is taken over.
func TestStaleLock(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	a := startCA(t, f, acmetest.Options{})
	o := options(t, a)
	old := time.Now().Add(-time.Hour).Format(time.RFC3339Nano)
	writeFile(t, filepath.Join(o.Storage, "locks", "issue_cert_shop.example.com.lock"), []byte(fmt.Sprintf(`{"created":%q,"updated":%[1]q}`, old)))
	start(t, f, o, "shop.example.com")
	await(t, "the certificate", func() bool { return f.served("shop.example.com") != nil })
}

// TestWrongClock: nothing is ordered with one, and the status says which way it is wrong.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]string{
		-48 * time.Hour: "48h", 50 * time.Hour: "50h",
	} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			f := startFront(t)
			a := startCA(t, f, acmetest.Options{})
			a.SetClock(ahead + ahead/1000) // minutes more, so that the time which passes isn't seen
			m := start(t, f, options(t, a), "shop.example.com")
			const nothing = "nothing is ordered: this node's clock is "
			await(t, "why", func() bool { return strings.Contains(m.of("shop.example.com").Problem, nothing) })
			p := m.of("shop.example.com").Problem
			if way := map[bool]string{true: " behind its clock", false: " ahead of its clock"}[ahead > 0]; !strings.Contains(p, way) || !strings.Contains(p, nothing+want) || a.Orders() != 0 {
				t.Errorf("%d orders: %s", a.Orders(), p)
			}
			a.SetClock(0)
			await(t, "the certificate", func() bool { return f.served("shop.example.com") != nil })
		})
	}
}

func TestExternalAccount(t *testing.T) {
	t.Parallel()
	const id, key = "kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	f := startFront(t)
	a := startCA(t, f, acmetest.Options{Externals: map[string]string{id: key}})
	o := options(t, a)
	m := start(t, f, o, "shop.example.com")
	await(t, "what it wants", func() bool { return strings.Contains(m.of("shop.example.com").Problem, "externalAccountRequired") })
	o.Authorities[0].KeyID, o.Authorities[0].HMACKeyFile = id, filepath.Join(t.TempDir(), "hmac")
	writeFile(t, o.Authorities[0].HMACKeyFile, []byte(key+"\n"))
	must(t, m.Configure(&o, []string{"shop.example.com"}))
	await(t, "the certificate", func() bool { return f.served("shop.example.com") != nil })
	if strings.Contains(m.log.String(), key) {
		t.Error("the HMAC key is in the log")
	}
}

func TestTermsNotAgreedTo(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	a := startCA(t, f, acmetest.Options{})
	o := options(t, a)
	o.AgreeToTerms = false
	m := start(t, f, o, "shop.example.com")
	await(t, "what to do", func() bool {
		return strings.Contains(m.of("shop.example.com").Problem, "it has terms, data:text/plain,Do%20what%20thou%20wilt: read them, and set tls.acme.agree_to_terms")
	})
	if a.Orders() != 0 {
		t.Error("something was ordered")
	}
}

func TestConfigureRefuses(t *testing.T) {
	t.Parallel()
	m := acme.NewManager(acme.Config{Challenges: acme.NewLocal()})
	o := options(t)
	o.Authorities = []acme.Authority{{Directory: acme.LetsEncrypt, RootFile: "/nowhere/root.pem"}}
	if err := m.Configure(&o, nil); err == nil || !strings.Contains(err.Error(), "/nowhere/root.pem") {
		t.Errorf("%v", err)
	}
	blocked := filepath.Join(t.TempDir(), "file")
	writeFile(t, blocked, nil)
	o = options(t)
	o.Storage = filepath.Join(blocked, "acme")
	if err := m.Configure(&o, nil); err == nil || !strings.Contains(err.Error(), "make tls.acme.storage") {
		t.Errorf("%v", err)
	}
}

// counted is how many orders ended so.
func (m *manager) counted(t *testing.T, outcome string) (n float64) {
	t.Helper()
	return m.counter(t, "anyedge_acme_orders_total", outcome)
}

func (m *manager) counter(t *testing.T, name, outcome string) (n float64) {
	t.Helper()
	families, err := m.registry.Gather()
	must(t, err)
	for _, f := range families {
		for _, metric := range f.Metric {
			for _, l := range metric.Label {
				if f.GetName() == name && l.GetValue() == outcome {
					n += metric.Counter.GetValue()
				}
			}
		}
	}
	return n
}

func (m *manager) events() (text string) {
	for _, e := range m.journal.Since(0) {
		text += e.Text + "\n"
	}
	return text
}

// ageRenewalInfo has it that the time has come to ask the authority again for its wish.
func ageRenewalInfo(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	var resource map[string]any
	must(t, json.Unmarshal(text, &resource))
	resource["issuer_data"].(map[string]any)["renewal_info"].(map[string]any)["_retryAfter"] = time.Now().Add(-time.Hour)
	text, err = json.Marshal(resource)
	must(t, err)
	writeFile(t, file, text)
}
