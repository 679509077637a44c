package listener_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/listener"
)

var versions = []listener.Protocol{listener.H1, listener.H2, listener.H3}

// describe answers with what a handler knows of its request.
func describe(w http.ResponseWriter, r *http.Request) {
	i := listener.InfoFrom(r.Context())
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s h%d tls=%t vip=%s port=%t plain=%t %s", r.Method, r.ProtoMajor, r.TLS != nil, i.VIP, i.HTTPSPort != 0, i.Plain, body)
}

func TestSameRequestOverEachVersion(t *testing.T) {
	noLeak(t)
	e := serve(t, http.HandlerFunc(describe))
	for i, v := range versions {
		r, err := e.client(v).Post("https://"+e.https()+"/", "text/plain", strings.NewReader("hello"))
		must(t, err)
		body, err := io.ReadAll(r.Body)
		must(t, err)
		must(t, r.Body.Close())
		if want := fmt.Sprintf("POST h%d tls=true vip=www port=true plain=false hello", i+1); string(body) != want {
			t.Errorf("%s: %q, want %q", v, body, want)
		}
		eventually(t, "the connection is counted", func() bool {
			return e.metric("connections_total", "vip=www", "protocol="+string(v)) == 1
		})
	}
	e.cut()
	e.ended()
	if n := e.metric("connections"); n != 0 {
		t.Errorf("%v connections are still counted as open", n)
	}
}

func TestPlainPort(t *testing.T) {
	for _, plain := range []bool{false, true} {
		e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Plain = plain })
		r, err := e.client(listener.H1).Get("http://" + e.http() + "/")
		must(t, err)
		body, err := io.ReadAll(r.Body)
		must(t, err)
		must(t, r.Body.Close())
		if want := fmt.Sprintf("GET h1 tls=false vip=www port=true plain=%t ", plain); string(body) != want {
			t.Errorf("%q, want %q", body, want)
		}
	}
}

func TestAltSvcFollowsTheQUICCheck(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe))
	offer := fmt.Sprintf(`h3=":%d"; ma=86400`, e.config.HTTPS)
	expect := func(when, want string) {
		t.Helper()
		for _, v := range versions[:2] {
			if r := e.get(v); r.Header.Get("Alt-Svc") != want {
				t.Errorf("%s, %s: Alt-Svc: %q, want %q", when, v, r.Header.Get("Alt-Svc"), want)
			}
		}
		if r := e.get(listener.H3); r.Header.Get("Alt-Svc") != "" {
			t.Errorf("%s: H3 has Alt-Svc: %q", when, r.Header.Get("Alt-Svc"))
		}
		r, err := e.client(listener.H1).Get("http://" + e.http() + "/")
		must(t, err)
		must(t, r.Body.Close())
		if r.Header.Get("Alt-Svc") != "" {
			t.Errorf("%s: the port without TLS has Alt-Svc: %q", when, r.Header.Get("Alt-Svc"))
		}
	}
	expect("before any check", "")
	e.SetQUICAnswers(false)
	expect("never answered", "")
	e.SetQUICAnswers(true)
	expect("answers", offer)
	e.SetQUICAnswers(false)
	expect("answers no longer", "clear")
	e.SetQUICAnswers(true)
	expect("answers again", offer)
}

func TestHandlersCannotSpoilAltSvc(t *testing.T) {
	e := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Add("Alt-Svc", "other") }))
	e.SetQUICAnswers(true)
	for range 2 {
		if r := e.get(listener.H1); len(r.Header["Alt-Svc"]) != 2 || r.Header["Alt-Svc"][1] != "other" {
			t.Errorf("Alt-Svc: %q", r.Header["Alt-Svc"])
		}
	}
}

func TestHeaderTooLarge(t *testing.T) {
	const limit = 16 << 10
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Limits.Header = limit })
	for size, want := range map[int]int{limit / 2: 200, limit + 1<<10: 431, 3 * limit: 431} {
		for _, v := range []listener.Protocol{listener.H1, listener.H3} {
			req, err := http.NewRequest(http.MethodGet, "https://"+e.https()+"/", nil)
			must(t, err)
			for sent := 0; sent < size; sent += 1 << 10 {
				req.Header.Add("X-Large", strings.Repeat("x", 1<<10))
			}
			r, err := e.client(v).Do(req)
			must(t, err)
			must(t, r.Body.Close())
			if r.StatusCode != want {
				t.Errorf("%s, %d octets: %d, want %d", v, size, r.StatusCode, want)
			}
		}
		// net/http's H2 client would not send it: it knows SETTINGS_MAX_HEADER_LIST_SIZE.
		if status := e.h2().statusOf(size); status != strconv.Itoa(want) {
			t.Errorf("h2, %d octets: %s, want %d", size, status, want)
		}
		if status := e.h2().statusOfOne(size); status != strconv.Itoa(want) {
			t.Errorf("h2, a field of %d octets: %s, want %d", size, status, want)
		}
	}
	if n := e.metric("headers_too_large_total"); n != 6 {
		t.Errorf("%v requests counted, want those of H1 and H2", n)
	}
}

func TestSlowHeaderIsCutOff(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Limits.HeaderTimeout = 50 * time.Millisecond })
	c, err := net.Dial("tcp", e.http())
	must(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: ")
	must(t, err)
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	if answer, err := io.ReadAll(c); err != nil || len(answer) > 0 {
		t.Errorf("answered %q, %v; want the connection closed", answer, err)
	}
}

func TestIdleConnectionsClose(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Limits.IdleTimeout = 500 * time.Millisecond })
	for _, v := range versions {
		e.get(v)
		eventually(t, string(v)+" is closed", func() bool { return e.metric("connections", "protocol="+string(v)) == 0 })
	}
	if n := e.metric("connections_lost_total"); n != 0 {
		t.Errorf("%v idle connections count as lost", n)
	}
}

func TestPanicEndsOneRequest(t *testing.T) {
	e := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/defect":
			panic("a defect")
		case "/abort":
			panic(http.ErrAbortHandler)
		}
		describe(w, r)
	}))
	for i, v := range versions {
		for _, path := range []string{"/defect", "/abort"} {
			if r, err := e.client(v).Get("https://" + e.https() + path); err == nil {
				_ = r.Body.Close()
				t.Errorf("%s %s: answered %d", v, path, r.StatusCode)
			}
		}
		e.get(v)
		if n := e.metric("panics_total"); n != float64(i+1) {
			t.Errorf("%s: %v panics counted, want %d", v, n, i+1)
		}
	}
	if log := e.log.String(); strings.Count(log, "level=ERROR") != 3 || !strings.Contains(log, "TestPanicEndsOneRequest") {
		t.Errorf("the log should have the stack of each defect:\n%s", log)
	}
}

func TestHTTPOnTheTLSPort(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe))
	r, err := e.client(listener.H1).Get("http://" + e.https() + "/")
	must(t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	must(t, err)
	if r.StatusCode != 400 || !strings.Contains(string(body), "HTTPS") {
		t.Errorf("answered %d %q", r.StatusCode, body)
	}
	if n := e.metric("handshakes_total", "transport=tcp", "result=not_tls"); n != 1 {
		t.Errorf("%v handshakes counted", n)
	}
}

func TestPortWithoutHTTPS(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.HTTPS, c.TLS, c.Plain = 0, nil, true })
	r, err := e.client(listener.H1).Get("http://" + e.http() + "/")
	must(t, err)
	must(t, r.Body.Close())
	if n := len(e.Addrs()); n != 1 {
		t.Errorf("%d sockets, want 1: %v", n, e.Addrs())
	}
}

func TestPlainSpeaksNoH2(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe))
	tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{}}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	if r, err := (&http.Client{Transport: tr, Timeout: patience}).Get("http://" + e.http() + "/"); err == nil {
		_ = r.Body.Close()
		t.Errorf("answered over %s", r.Proto)
	}
}
