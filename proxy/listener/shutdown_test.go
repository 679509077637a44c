package listener_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/listener"
)

func TestShutdownWaitsForRequests(t *testing.T) {
	noLeak(t)
	for _, v := range versions {
		h := newHolder()
		e := serve(t, h)
		answer := fetch(e.client(v), "https://"+e.https()+"/")
		h.waitBegun(t)
		down := make(chan error, 1)
		go func() { down <- e.Shutdown(t.Context()) }()
		eventually(t, "the port is closed", func() bool {
			c, err := net.Dial("tcp", e.https())
			if err == nil {
				_ = c.Close()
			}
			return err != nil
		})
		close(h.end)
		if r := wait(t, "the answer under way", answer); r.err != nil || r.body != "done" {
			t.Errorf("%s: %+v", v, r)
		} else if v == listener.H1 && !r.close {
			t.Error("h1: the answer lacks Connection: close")
		}
		must(t, wait(t, "Shutdown returns", down))
		e.ended()
	}
}

func TestShutdownCutsOffAtItsEnd(t *testing.T) {
	noLeak(t)
	for _, v := range versions {
		h := newHolder()
		e := serve(t, h)
		answer := fetch(e.client(v), "https://"+e.https()+"/")
		h.waitBegun(t)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := e.Shutdown(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "VIP www: 1 connection") {
			t.Errorf("%s: %v", v, err)
		}
		if r := wait(t, "the request ends", answer); r.err == nil {
			t.Errorf("%s: answered %d", v, r.status)
		}
		e.ended()
	}
}

func TestShutdownOfWhatWasTakenOver(t *testing.T) {
	e := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(c, buf)
	}))
	c, err := net.Dial("tcp", e.http())
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	must(t, err)
	r := bufio.NewReader(c)
	if _, err := http.ReadResponse(r, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	down := make(chan error, 1)
	go func() { down <- e.Shutdown(ctx) }()
	eventually(t, "the port is closed", func() bool { _, err := net.Dial("tcp", e.http()); return err != nil })
	_, err = io.WriteString(c, "still here\n")
	must(t, err)
	if line, err := r.ReadString('\n'); err != nil || line != "still here\n" {
		t.Errorf("%q, %v", line, err)
	}
	cancel()
	if err := wait(t, "Shutdown returns", down); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := r.ReadString('\n'); err == nil {
		t.Error("the connection goes on")
	}
	e.ended()
}

func TestShutdownWithoutServe(t *testing.T) {
	noLeak(t)
	e := newEdge(t, http.HandlerFunc(describe))
	must(t, e.Shutdown(t.Context()))
	must(t, e.Shutdown(t.Context()))
	must(t, e.Serve(t.Context()))
	again, err := listener.Open(e.config)
	must(t, err)
	must(t, again.Shutdown(t.Context()))
}

func TestServeEndsWithItsContext(t *testing.T) {
	noLeak(t)
	h := newHolder()
	e := newEdge(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { e.served <- e.Serve(ctx) }()
	var answers []<-chan result
	for _, v := range versions {
		answers = append(answers, fetch(e.client(v), "https://"+e.https()+"/"))
		h.waitBegun(t)
	}
	cancel()
	e.ended()
	for i, a := range answers {
		if r := wait(t, "the request ends", a); r.err == nil {
			t.Errorf("%s: answered %d", versions[i], r.status)
		}
	}
}

func TestShutdownIsQuickWithIdleConnections(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe))
	for _, v := range versions {
		e.get(v)
	}
	begin := time.Now()
	must(t, e.Shutdown(t.Context()))
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("took %v", took)
	}
	e.ended()
}

func TestHandshakeUnderWayEndsAtShutdown(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe))
	c, err := net.Dial("tcp", e.https())
	must(t, err)
	defer c.Close()
	must(t, e.Shutdown(t.Context()))
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read: %v, want the connection closed", err)
	}
	e.ended()
}
