package probe_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/health/probe"
)

// asked makes o what a configuration makes of it, and checks that it is valid.
func asked(t *testing.T, o probe.Options) probe.Service {
	t.Helper()
	var d probe.Options
	d.SetDefaults()
	if o.Timeout == 0 {
		o.Timeout = patience
	}
	if o.Transport == "" {
		o.Transport = d.Transport
	}
	o.Check(func(key, problem string) { t.Errorf("%s: %s", key, problem) })
	return probe.Service{VIP: "dns", Options: o}
}

// expect checks once, and that the error holds what is wanted; empty for none.
func expect(t *testing.T, o probe.Options, want string) {
	t.Helper()
	err := asked(t, o).Check(t.Context())
	switch {
	case want == "" && err != nil:
		t.Errorf("%+v: %v", o, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%+v: %v; want %q", o, err, want)
	}
}

// nameServer answers on loopback, over UDP and TCP on one port, until the test ends.
func nameServer(t *testing.T, answer dns.HandlerFunc) string {
	t.Helper()
	udp, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", freePort(t)))
	must(t, err)
	tcp, err := net.Listen("tcp", udp.LocalAddr().String())
	must(t, err)
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: answer}, {Listener: tcp, Handler: answer}} {
		started, ended := make(chan struct{}), make(chan error, 1)
		s.NotifyStartedFunc = func() { close(started) }
		go func() { ended <- s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			must(t, s.Shutdown())
			must(t, <-ended)
		})
	}
	return udp.LocalAddr().String()
}

// zone answers as a name server of example.com that has one address, and is broken for one name.
func zone(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	switch name := q.Question[0].Name; name {
	case "example.com.":
		rr, _ := dns.NewRR("example.com. 60 IN A 192.0.2.80")
		m.Answer = append(m.Answer, rr)
	case "large.example.com.":
		if m.Truncated = w.LocalAddr().Network() == "udp"; m.Truncated {
			break
		}
		rr, _ := dns.NewRR(`large.example.com. 60 IN TXT "all of it"`)
		m.Answer = append(m.Answer, rr)
	case "broken.example.com.":
		m.Rcode = dns.RcodeServerFailure
	case "other.example.com.":
		m.Question[0].Name = "another.example.com."
	case "silent.example.com.":
		return
	default:
		m.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(m)
}

func TestDNS(t *testing.T) {
	at := nameServer(t, zone)
	for _, c := range []struct {
		query, transport, expect, answer string
		want                             string
	}{
		{query: "example.com. A"},
		{query: "example.com a", expect: "noerror", answer: "192.0.2.80"},
		{query: "example.com. A", transport: "tcp"},
		{query: "example.com. A", answer: "192.0.2.81", want: `none of the 1 records of the answer holds "192.0.2.81"`},
		{query: "example.com. A", answer: "example.com", want: "none of the 1 records"}, // the name is no data
		{query: "example.com. A", expect: "NXDOMAIN", want: "response code NOERROR, not NXDOMAIN"},
		{query: "gone.example.com. A", expect: "NXDOMAIN"},
		{query: "gone.example.com. A", want: "response code NXDOMAIN, not NOERROR"},
		{query: "broken.example.com. A", want: "response code SERVFAIL, not NOERROR"},
		{query: "other.example.com. A", want: "another question"},
		{query: "large.example.com. TXT", answer: "all of it"},
	} {
		expect(t, probe.Options{DNS: at, Query: c.query, Transport: c.transport, Expect: c.expect, Answer: c.answer}, c.want)
	}
	expect(t, probe.Options{DNS: at, Query: "silent.example.com. A", Timeout: 50 * time.Millisecond}, "probe of dns "+at+" for silent.example.com. A over udp: nothing within 50ms")
	expect(t, probe.Options{DNS: fmt.Sprintf("127.0.0.1:%d", freePort(t)), Query: "example.com. A"}, "connection refused")
}

func TestTCP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	expect(t, probe.Options{TCP: ln.Addr().String()}, "")
	must(t, ln.Close())
	expect(t, probe.Options{TCP: ln.Addr().String()}, "probe of tcp "+ln.Addr().String()+": dial tcp")
}

func TestTLSAndHTTPS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t, "shop.example.com")}}
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	defer s.Close()
	at := s.Listener.Addr().String()
	expect(t, probe.Options{TLS: at}, "")
	expect(t, probe.Options{TLS: at, ServerName: "shop.example.com"}, "")
	expect(t, probe.Options{TLS: at, ServerName: "img.example.com"}, "no certificate covers img.example.com")
	expect(t, probe.Options{HTTP: s.URL, ServerName: "shop.example.com", Answer: "shop.example.com"}, "")
	expect(t, probe.Options{HTTP: s.URL, ServerName: "img.example.com"}, "no certificate covers img.example.com")

	plain, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	must(t, err)
	defer plain.Close()
	expect(t, probe.Options{TLS: plain.Addr().String(), Timeout: 50 * time.Millisecond}, context.DeadlineExceeded.Error())
}

func TestHTTP(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
			return
		}
		status, _ := strconv.Atoi(r.URL.Path[1:])
		w.Header().Set("Location", "/200")
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			fmt.Fprint(w, "all is well")
		}
	}))
	defer s.Close()
	for _, c := range []struct{ path, expect, answer, want string }{
		{"/200", "", "", ""},
		{"/204", "", "", ""},
		{"/200", "200", "is well", ""},
		{"/404", "404", "", ""},
		{"/302", "3xx", "", ""},
		{"/302", "", "", "status 302, not 2xx"},
		{"/204", "200", "", "status 204, not 200"},
		{"/500", "", "", "status 500, not 2xx"},
		{"/200", "", "is bad", `the content does not hold "is bad"`},
	} {
		expect(t, probe.Options{HTTP: s.URL + c.path, Expect: c.expect, Answer: c.answer}, c.want)
	}
	expect(t, probe.Options{HTTP: s.URL + "/slow", Timeout: 50 * time.Millisecond}, context.DeadlineExceeded.Error())
}

func TestExec(t *testing.T) {
	program := filepath.Join(t.TempDir(), "check")
	must(t, os.WriteFile(program, []byte(`#!/bin/sh
case $1 in
good) exit 0 ;;
bad) echo; echo "zone is old" >&2; echo more; exit 3 ;;
slow) sleep 60 & wait ;;
behind) sleep 60 & exit 0 ;;
esac
`), 0o700))
	expect(t, probe.Options{Exec: []string{program, "good"}}, "")
	expect(t, probe.Options{Exec: []string{program, "bad"}}, program+" bad: exit status 3: zone is old")
	expect(t, probe.Options{Exec: []string{program + ".gone"}}, "no such file")
	begin := time.Now()
	expect(t, probe.Options{Exec: []string{program, "slow"}, Timeout: 100 * time.Millisecond}, context.DeadlineExceeded.Error())
	_ = asked(t, probe.Options{Exec: []string{program, "behind"}}).Check(t.Context()) // what it left behind has its output
	if took := time.Since(begin); took > patience {
		t.Errorf("waited %s for what was to be killed", took)
	}
}

// Whatever is wrong with a probe of a service is one failure of its VIP's round.
func TestRunnerProbesServices(t *testing.T) {
	at := nameServer(t, zone)
	good := asked(t, probe.Options{DNS: at, Query: "example.com. A"})
	bad := asked(t, probe.Options{DNS: at, Query: "broken.example.com. A"})
	r, reports := run(t, 5*time.Millisecond, patience)
	r.Set(nil, []probe.Service{good})
	if got := next(t, reports); got.vip != "dns" || got.name != health.ServiceProbe || got.err != nil {
		t.Errorf("reported %+v", got)
	}
	r.Set(nil, []probe.Service{good, bad})
	for {
		if got := next(t, reports); got.err != nil {
			if !strings.Contains(got.err.Error(), "SERVFAIL") {
				t.Errorf("reported %+v", got)
			}
			return
		}
	}
}

func TestServiceLeavesNothing(t *testing.T) {
	at := nameServer(t, zone)
	noLeak(t, func() {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, o := range []probe.Options{{DNS: at, Query: "silent.example.com. A"}, {TCP: at}, {TLS: at}, {HTTP: "http://" + at}} {
			if err := asked(t, o).Check(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%+v: %v", o, err)
			}
		}
	})
}
