package hitpath

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

type contextKey struct{}

// serverOf serves h by loops, with a context of its own, to clients that must take something all the time.
func serverOf(t *testing.T, ctx context.Context, sendIdle time.Duration, h http.HandlerFunc) *tls.Conn {
	t.Helper()
	certified := httptest.NewTLSServer(nil)
	certified.Close()
	addr, _ := serveBy(t, &Server{
		Finder: noHits{}, Handler: h, Context: ctx, Header: 64 << 10, HeaderTimeout: limit, IdleTimeout: limit, SendIdle: sendIdle,
	}, certified.TLS.Certificates)
	return dialTLS(t, addr)
}

// TestRequestContext: a request's context has the values of the server's, and ends with it, with the handler, or when the
// server's ends, which may have happened before.
func TestRequestContext(t *testing.T) {
	ctx, end := context.WithCancelCause(context.WithValue(context.Background(), contextKey{}, "v"))
	why := errors.New("cut off")
	handled := make(chan context.Context, 1)
	c := serverOf(t, ctx, limit, func(_ http.ResponseWriter, r *http.Request) {
		handled <- r.Context()
		if r.Host == "waits" {
			<-r.Context().Done()
		}
	})
	ask := func(host string) context.Context {
		t.Helper()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		select {
		case ctx := <-handled:
			return ctx
		case <-time.After(limit):
			t.Fatal("nothing is handled")
			return nil
		}
	}
	first := ask("a")
	<-first.Done()
	if first.Value(contextKey{}) != "v" || !errors.Is(context.Cause(first), context.Canceled) || ctx.Err() != nil {
		t.Errorf("value %v, cause %v", first.Value(contextKey{}), context.Cause(first))
	}
	second := ask("waits")
	if second.Err() != nil {
		t.Error("it has ended already")
	}
	end(why)
	<-second.Done()
	if !errors.Is(context.Cause(second), why) {
		t.Errorf("cause %v", context.Cause(second))
	}
	<-ask("waits").Done()
}

// TestSendIdle: a client that takes nothing is cut off, and who writes learns that it was for that.
func TestSendIdle(t *testing.T) {
	type pacer interface {
		SendIdle() time.Duration
		Stalled() bool
	}
	stalled, before := make(chan bool, 1), false
	c := serverOf(t, context.Background(), 100*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		p := w.(pacer)
		before = p.Stalled() || p.SendIdle() != 100*time.Millisecond
		var err error
		for err == nil {
			_, err = w.Write(make([]byte, 64<<10))
		}
		stalled <- p.Stalled()
	})
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case is := <-stalled:
		if !is || before {
			t.Errorf("stalled: %t, before: %t", is, before)
		}
	case <-time.After(limit):
		t.Fatal("it isn't cut off")
	}
}
