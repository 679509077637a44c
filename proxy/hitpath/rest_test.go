package hitpath

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/hitpath/hitpathtest"
)

// resting is a connection that rests soon, and its client.
type resting struct {
	*Conn
	t      *testing.T
	client *tls.Conn
	rests  chan bool // for each time that Serve has returned, whether that was for a rest
	again  chan struct{}
}

func newResting(t *testing.T, idle time.Duration) *resting {
	client, server := tlsPair(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "done") })
	s := &Server{
		Finder: noHits{}, Handler: h, Context: context.Background(), Header: 64 << 10,
		HeaderTimeout: limit, IdleTimeout: idle, SendIdle: limit, RestAfter: 5 * time.Millisecond,
	}
	r := &resting{s.NewConn(server, hitpathtest.Unheld{}), t, client, make(chan bool), make(chan struct{}, 1)}
	go func() {
		defer close(r.rests)
		for {
			given := r.Serve()
			if given != nil {
				t.Error("it is net/http's")
				_ = given.Close()
			}
			r.rests <- r.Rests()
			if !r.Rests() {
				return
			}
			<-r.again
		}
	}()
	return r
}

func (r *resting) asks() {
	r.t.Helper()
	if got := ask(r.t, r.client, "GET", ""); got.content != "done" {
		r.t.Errorf("%+v", got)
	}
}

// returns waits until Serve has returned.
func (r *resting) returns(rests bool) {
	r.t.Helper()
	select {
	case got := <-r.rests:
		if got != rests {
			r.t.Fatalf("it rests: %v", got)
		}
	case <-time.After(limit):
		r.t.Fatal("it goes on")
	}
}

// ends waits for the connection's end.
func (r *resting) ends() {
	r.t.Helper()
	if n, err := r.client.Read(make([]byte, 1)); n != 0 || err != io.EOF { //nolint:errorlint // crypto/tls returns io.EOF itself
		r.t.Errorf("%d, %v", n, err)
	}
}

// TestRest: a connection rests once nothing has come for a while, again and again, and goes on when something comes.
func TestRest(t *testing.T) {
	r := newResting(t, time.Hour)
	for range 3 {
		r.asks()
		r.returns(true)
		r.again <- struct{}{}
	}
	r.asks()
	r.returns(true)
	go r.Leave()
	r.ends()
	r.again <- struct{}{}
	r.returns(false)
}

// TestNoRestBefore: a connection doesn't rest before its first request, of which the time is another.
func TestNoRestBefore(t *testing.T) {
	r := newResting(t, time.Hour)
	select {
	case <-r.rests:
		t.Fatal("it rests")
	case <-time.After(50 * time.Millisecond):
	}
	r.asks()
	r.returns(true)
	_ = r.client.NetConn().Close()
	r.again <- struct{}{}
	r.returns(false)
}

// TestIdleAtRest: a connection that rests is over when it has been idle for too long, even if a record begins meanwhile.
func TestIdleAtRest(t *testing.T) {
	for _, begun := range []string{"", "\x17\x03"} {
		r := newResting(t, 300*time.Millisecond)
		r.asks()
		r.returns(true)
		r.again <- struct{}{}
		if _, err := io.WriteString(r.client.NetConn(), begun); err != nil {
			t.Fatal(err)
		}
		r.ends()
		r.returns(false)
	}
}
