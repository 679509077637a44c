package listener_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/proxy/listener"
)

func TestConnectionsBeyondTheLimitWait(t *testing.T) {
	gate := listener.NewGate(1)
	shared := func(c *listener.Config) { c.Gate = gate }
	a, b := serve(t, http.HandlerFunc(describe), shared), serve(t, http.HandlerFunc(describe), shared)
	first, err := net.Dial("tcp", a.http())
	must(t, err)
	defer first.Close()
	eventually(t, "the first connection is open", func() bool { return a.metric("connections") == 1 })

	second := fetch(b.client(listener.H1), "http://"+b.http()+"/")
	third := fetch(b.client(listener.H1), "https://"+b.https()+"/")
	select {
	case r := <-second:
		t.Errorf("beyond the limit: %+v", r)
	case r := <-third:
		t.Errorf("beyond the limit: %+v", r)
	case <-time.After(50 * time.Millisecond):
	}
	must(t, first.Close())
	gate.SetLimit(2) // the second keeps its connection alive
	for _, c := range []<-chan result{second, third} {
		if r := wait(t, "an answer", c); r.err != nil {
			t.Error(r.err)
		}
	}
}

func TestWaitingConnectionsEndAtShutdown(t *testing.T) {
	noLeak(t)
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Gate = listener.NewGate(0) })
	c, err := net.Dial("tcp", e.http())
	must(t, err)
	defer c.Close()
	must(t, e.Shutdown(t.Context()))
	e.ended()
}

func TestResetsAreCountedTogether(t *testing.T) {
	h := newHolder()
	e := serve(t, h)
	const resets = 5
	for range resets {
		c, err := net.Dial("tcp", e.http())
		must(t, err)
		_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		must(t, err)
		h.waitBegun(t)
		must(t, c.(*net.TCPConn).SetLinger(0))
		must(t, c.Close())
	}
	eventually(t, "the resets are counted", func() bool {
		return e.metric("connections_lost_total", "protocol=h1", "reason=reset") == resets
	})
	e.cut() // writes what is left
	var texts []string
	for _, event := range e.journal.Since(0) {
		if event.Kind == health.EventConn && event.Subject == "www" {
			texts = append(texts, event.Text)
		}
	}
	if len(texts) != 1 || texts[0] != "5 connections lost: h1 reset 5" {
		t.Errorf("events: %q", texts)
	}
}

func TestSmallBuffersAreTold(t *testing.T) {
	e := newEdge(t, http.HandlerFunc(describe))
	log := e.log.String()
	if strings.Contains(log, "buffers") != strings.Contains(log, "net.core.rmem_max") {
		t.Errorf("the warning should say what to set:\n%s", log)
	}
}
