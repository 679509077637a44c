package dns01_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	acmeproto "github.com/mholt/acmez/v3/acme"

	"github.com/anyedge/anyedge/tls/acme/acmetest"
	"github.com/anyedge/anyedge/tls/acme/dns01"
)

func challenge(name, token string) acmeproto.Challenge {
	return acmeproto.Challenge{
		Type: acmeproto.ChallengeTypeDNS01, Token: token, KeyAuthorization: token + ".thumb",
		Identifier: acmeproto.Identifier{Type: "dns", Value: name},
	}
}

// TestRecords: two challenges for one name have a record each, beside each other, and each goes by itself.
func TestRecords(t *testing.T) {
	t.Parallel()
	p := acmetest.StartPrimary(t)
	s, err := dns01.New([]dns01.Options{options(t, p, "example.com", "sub.example.com")})
	must(t, err)
	const name = "_acme-challenge.www.example.com."
	one, two := challenge("www.example.com", "one"), challenge("www.example.com", "two")
	for _, c := range []acmeproto.Challenge{one, two} {
		must(t, s.Present(t.Context(), c))
		must(t, s.Wait(t.Context(), c))
	}
	want := []string{one.DNS01KeyAuthorization(), two.DNS01KeyAuthorization()}
	if got := p.Texts(name); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, s.CleanUp(ended, one))
	if got := p.Texts(name); !slices.Equal(got, want[1:]) {
		t.Errorf("%q, want %q", got, want[1:])
	}
}

// TestWait: an authority isn't asked before every name server has the record; which one hasn't is said.
func TestWait(t *testing.T) {
	t.Parallel()
	p, late := acmetest.StartPrimary(t), acmetest.StartPrimary(t)
	o := options(t, p, "example.com")
	o.NameServers, o.Propagation = []string{p.Address(), late.Address()}, time.Second
	s, err := dns01.New([]dns01.Options{o})
	must(t, err)
	c := challenge("www.example.com", "one")
	must(t, s.Present(t.Context(), c))
	if err := s.Wait(t.Context(), c); err == nil || !strings.Contains(err.Error(), late.Address()+" doesn't have it") || strings.Contains(err.Error(), p.Address()) {
		t.Errorf("%v", err)
	}

	p.Hide(1)
	o.NameServers, o.Propagation = []string{p.Address()}, time.Minute
	s, err = dns01.New([]dns01.Options{o})
	must(t, err)
	must(t, s.Wait(t.Context(), c))
	if p.Hide(0) != 0 {
		t.Error("the name server wasn't asked")
	}
}

// TestDelegated: records are written where a CNAME leads, and nowhere else; a name without one is told what it needs.
func TestDelegated(t *testing.T) {
	t.Parallel()
	p := acmetest.StartPrimary(t)
	o := options(t, p, "example.com")
	o.ChallengeZone, o.Resolver = "acme.example.net", p.Address()
	s, err := dns01.New([]dns01.Options{o})
	must(t, err)
	p.Alias("_acme-challenge.www.example.com.", "between.example.org.")
	p.Alias("between.example.org.", "WWW.acme.example.net.")
	c := challenge("www.example.com", "one")
	must(t, s.Present(t.Context(), c))
	must(t, s.Wait(t.Context(), c))
	if got := p.Texts("www.acme.example.net."); len(got) != 1 || len(p.Texts("_acme-challenge.www.example.com.")) > 0 {
		t.Errorf("%q", got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, s.CleanUp(ended, c))
	if got := p.Texts("www.acme.example.net."); len(got) != 0 {
		t.Errorf("left: %q", got)
	}

	p.Alias("_acme-challenge.loop.example.com.", "_acme-challenge.loop.example.com.")
	for name, want := range map[string]string{
		"none.example.com": "needs one for a name in acme.example.net, such as none.example.com.acme.example.net",
		"loop.example.com": "8 of them lead to _acme-challenge.loop.example.com, and not into acme.example.net",
	} {
		if err := s.Present(t.Context(), challenge(name, "one")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRefused: what the name server says is told, and nothing of the key.
func TestRefused(t *testing.T) {
	t.Parallel()
	p := acmetest.StartPrimary(t)
	o := options(t, p, "example.com")
	const wrong = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I="
	o.KeyFile = writeFile(t, "wrong", `key acme-key { algorithm hmac-sha256; secret "`+wrong+`"; };`)
	s, err := dns01.New([]dns01.Options{o})
	must(t, err)
	err = s.Present(t.Context(), challenge("www.example.com", "one"))
	if err == nil || !strings.Contains(err.Error(), "add _acme-challenge.www.example.com to the zone example.com by rfc2136 at "+p.Address()) || strings.Contains(err.Error(), wrong) {
		t.Errorf("%v", err)
	}
	if err := s.Present(t.Context(), challenge("www.example.net", "one")); err == nil || !strings.Contains(err.Error(), "is in none of the zones") {
		t.Errorf("%v", err)
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	o := dns01.Options{Zones: []string{"example.com", "sub.example.net"}}
	for name, want := range map[string]bool{
		"example.com": true, "*.example.com": true, "a.b.EXAMPLE.com": true, "badexample.com": false, "com": false,
		"example.net": false, "*.sub.example.net": true, "*.example.net": false, "": false,
	} {
		if o.Covers(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	p := acmetest.StartPrimary(t)
	f := func(set func(*dns01.Options), want ...string) {
		t.Helper()
		o := options(t, p, "example.com")
		set(&o)
		var got []string
		o.Check(func(key, _ string) { got = append(got, key) })
		o.CheckFiles(func(key, problem string) {
			got = append(got, key)
			if strings.Contains(problem, acmetest.TSIGSecret) {
				t.Errorf("the key is quoted: %s", problem)
			}
		})
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(func(*dns01.Options) {})
	f(func(o *dns01.Options) { o.Zones = nil }, "zones")
	f(func(o *dns01.Options) { o.ChallengeZone = "acme.example.net." }, "challenge_zone")
	f(func(o *dns01.Options) { o.Zones = []string{"*.example.com", "Example.com", "a.example", "a.example"} }, "zones[0]", "zones[1]", "zones[3]")
	f(func(o *dns01.Options) { o.Provider = "route66" }, "provider")
	f(func(o *dns01.Options) { o.Server, o.KeyFile = "ns1", "" }, "key_file", "key_file", "server")
	f(func(o *dns01.Options) { o.KeyFile = writeFile(t, "key", acmetest.TSIGSecret) }, "key_file")
	f(func(o *dns01.Options) {
		o.KeyFile = writeFile(t, "key", `key a { algorithm hmac-md5; secret "`+acmetest.TSIGSecret+`"; };`)
	}, "key_file")
	f(func(o *dns01.Options) {
		o.Provider, o.Server, o.KeyFile, o.TokenFile = dns01.Cloudflare, "", "", writeFile(t, "token", "two words")
	}, "token_file")
	f(func(o *dns01.Options) { o.Provider, o.TokenFile = dns01.Cloudflare, writeFile(t, "token", "word") }, "key_file", "server")
	f(func(o *dns01.Options) { o.TokenFile = writeFile(t, "token", "word") }, "token_file")
	f(func(o *dns01.Options) { o.Resolver, o.NameServers, o.Propagation = "x", []string{"y"}, time.Hour }, "name_servers[0]", "propagation", "resolver")
}

// cloud is an API as Cloudflare's is.
type cloud struct {
	mu      sync.Mutex // guards the following field
	records map[string]map[string]any
}

// Do answers one request.
func (c *cloud) Do(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	status, result := http.StatusOK, any(nil)
	id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	switch {
	case r.Header.Get("Authorization") != "Bearer good-token":
		status = http.StatusForbidden
	case id == "zones":
		result = []map[string]any{{"id": "z1", "name": r.URL.Query().Get("name")}}
	case r.Method == http.MethodPost:
		record := map[string]any{}
		_ = json.NewDecoder(r.Body).Decode(&record)
		record["id"] = "r1"
		c.records["r1"], result = record, record
	case r.Method == http.MethodDelete:
		result = c.records[id]
		delete(c.records, id)
	default:
		var list []any
		for _, record := range c.records {
			list = append(list, record)
		}
		result = list
	}
	text, err := json.Marshal(map[string]any{"success": status == http.StatusOK, "result": result, "errors": []any{}})
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(string(text))), Header: http.Header{}}, err
}

// TestCloudflare: a record is made and deleted by its API, under a token that no error quotes.
func TestCloudflare(t *testing.T) {
	t.Parallel()
	c := &cloud{records: map[string]map[string]any{}}
	var o dns01.Options
	o.SetDefaults()
	o.Zones, o.Provider, o.HTTP = []string{"example.com"}, dns01.Cloudflare, c
	o.TokenFile = writeFile(t, "token", "good-token\n")
	s, err := dns01.New([]dns01.Options{o})
	must(t, err)
	asked := challenge("www.example.com", "one")
	must(t, s.Present(t.Context(), asked))
	if r := c.records["r1"]; r["type"] != "TXT" || !strings.Contains(r["content"].(string), asked.DNS01KeyAuthorization()) || !strings.HasPrefix(r["name"].(string), "_acme-challenge.www") {
		t.Errorf("%v", r)
	}
	must(t, s.CleanUp(t.Context(), asked))
	if len(c.records) != 0 {
		t.Errorf("left: %v", c.records)
	}
	o.TokenFile = writeFile(t, "token", "bad-token")
	s, err = dns01.New([]dns01.Options{o})
	must(t, err)
	if err := s.Present(t.Context(), asked); err == nil || strings.Contains(err.Error(), "bad-token") {
		t.Errorf("%v", err)
	}
}
