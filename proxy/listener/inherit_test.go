package listener_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/proxy/listener"
)

// inherit returns e's sockets as another process would get them.
func (e *edge) inherit() *listener.Inherited {
	e.t.Helper()
	in := listener.NewInherited()
	for _, b := range e.Bound() {
		f, err := b.Socket.(interface{ File() (*os.File, error) }).File()
		must(e.t, err)
		in.Add(b.Name, f)
	}
	return in
}

// after is an edge on the sockets of e, which answers name and doesn't serve yet.
func (e *edge) after(name string) (*edge, *listener.Inherited) {
	e.t.Helper()
	in := e.inherit()
	next := newEdge(e.t, named(name), func(c *listener.Config) {
		c.Options, c.Inherited = e.config.Options, in
	})
	return next, in
}

func (e *edge) start() { go func() { e.served <- e.Serve(context.Background()) }() }

func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
}

// One listener goes on where another one stops accepting, on the same sockets; nobody is refused, and what the first one has
// begun it ends.
func TestListenersFollowEachOther(t *testing.T) {
	noLeak(t)
	h := newHolder()
	old := serve(t, h)
	for _, b := range old.Bound() {
		if network, at, _ := strings.Cut(b.Name, " "); network != "tcp" && network != "udp" || !strings.HasPrefix(at, "127.0.0.1:") {
			t.Errorf("a socket is called %q", b.Name)
		}
	}
	held := fetch(old.client(listener.H1), "https://"+old.https()+"/")
	h.waitBegun(t)
	if n := old.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}

	next, in := old.after("next")
	if !in.Taken("tcp "+old.https()) || !in.Taken("udp "+old.https()) || in.Taken("tcp 127.0.0.1:1") {
		t.Error("what is taken is not told")
	}
	old.PauseAccept()
	waiting := fetch(old.client(listener.H1), "http://"+old.http()+"/") // in the backlog
	next.start()
	if r := wait(t, "the next one answers", waiting); r.err != nil || r.body != "next" {
		t.Errorf("%+v", r)
	}
	for range 20 {
		for _, v := range []listener.Protocol{listener.H1, listener.H2} {
			if r := wait(t, "the next one answers", fetch(next.client(v), "https://"+old.https()+"/")); r.err != nil || r.body != "next" {
				t.Fatalf("%s: %+v", v, r)
			}
		}
	}
	close(h.end)
	if r := wait(t, "what was begun", held); r.err != nil || r.body != "done" {
		t.Errorf("%+v", r)
	}
	old.Settle(t.Context())
	must(t, old.Shutdown(t.Context()))
	old.ended()
	if r := wait(t, "the next one answers", fetch(next.client(listener.H2), "https://"+old.https()+"/")); r.err != nil || r.body != "next" {
		t.Errorf("%+v", r)
	}
}

// Who comes after may fail: the first one goes on.
func TestAcceptResumes(t *testing.T) {
	old := serve(t, named("old"))
	old.PauseAccept()
	old.PauseAccept()
	answer := fetch(old.client(listener.H1), "https://"+old.https()+"/")
	old.ResumeAccept()
	if r := wait(t, "the answer", answer); r.err != nil || r.body != "old" {
		t.Errorf("%+v", r)
	}
	old.PauseAccept()
	old.cut()
	old.ended()
}

// What nobody wants is closed.
func TestInheritedIsClosed(t *testing.T) {
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	f, err := ln.File()
	must(t, err)
	in := listener.NewInherited()
	in.Add("tcp "+ln.Addr().String(), f)
	must(t, ln.Close())
	in.Close()
	if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("the socket still listens")
	}
}
