package listener_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/anyedge/anyedge/proxy/listener"
)

// h3Conn opens a QUIC connection that speaks H3 by hand.
func (e *edge) h3Conn() *quic.Conn {
	e.t.Helper()
	c, err := quic.DialAddr(e.t.Context(), e.https(), e.clientTLS("h3"), nil)
	must(e.t, err)
	e.t.Cleanup(func() { _ = c.CloseWithError(0x100, "") })
	return c
}

// controlFrames returns the types of the frames on the server's control stream, and the first varint of GOAWAY.
func controlFrames(t *testing.T, ctx context.Context, c *quic.Conn) <-chan [2]uint64 {
	t.Helper()
	s, err := c.AcceptUniStream(ctx)
	must(t, err)
	r := quicvarint.NewReader(s)
	if kind, err := quicvarint.Read(r); err != nil || kind != 0 {
		t.Fatalf("stream type %d, %v, want the control stream", kind, err)
	}
	frames := make(chan [2]uint64, 8)
	go func() { // ends with the connection
		defer close(frames)
		for {
			kind, err := quicvarint.Read(r)
			if err != nil {
				return
			}
			size, err := quicvarint.Read(r)
			if err != nil {
				return
			}
			payload, err := io.ReadAll(io.LimitReader(r, int64(size)))
			if err != nil {
				return
			}
			first, _, _ := quicvarint.Parse(payload)
			frames <- [2]uint64{kind, first}
		}
	}()
	return frames
}

const (
	frameSettings = 0x4
	frameGoAway   = 0x7
)

func TestH3OffersExtendedConnect(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe))
	tr := &http3.Transport{}
	c := tr.NewClientConn(e.h3Conn())
	wait(t, "SETTINGS arrive", c.ReceivedSettings())
	if s := c.Settings(); !s.EnableExtendedConnect || s.EnableDatagrams {
		t.Errorf("%+v, want extended CONNECT and no datagrams", s)
	}
}

func TestShutdownSendsH3GOAWAY(t *testing.T) {
	h := newHolder()
	e := serve(t, h)
	conn := e.h3Conn()
	frames := controlFrames(t, t.Context(), conn)
	if f := wait(t, "SETTINGS arrive", frames); f[0] != frameSettings {
		t.Fatalf("frame %#x first, want SETTINGS", f[0])
	}
	client := (&http3.Transport{}).NewClientConn(conn)
	req, err := http.NewRequest(http.MethodGet, "https://"+e.https()+"/", nil)
	must(t, err)
	answer := make(chan result, 1)
	go func() {
		r, err := client.RoundTrip(req)
		if err != nil {
			answer <- result{err: err}
			return
		}
		body, err := io.ReadAll(r.Body)
		answer <- result{r.StatusCode, false, string(body), err}
	}()
	h.waitBegun(t)

	down := make(chan error, 1)
	go func() { down <- e.Shutdown(t.Context()) }()
	// RFC 9114, section 5.2: the first stream that is not answered; the one under way is stream 0.
	if f := wait(t, "GOAWAY arrives", frames); f != [2]uint64{frameGoAway, 4} {
		t.Errorf("frame %#x %d, want GOAWAY 4", f[0], f[1])
	}
	close(h.end)
	if r := wait(t, "the answer under way", answer); r.err != nil || r.body != "done" {
		t.Errorf("%+v", r)
	}
	must(t, wait(t, "Shutdown returns", down))
	<-conn.Context().Done()
	var closed *quic.ApplicationError
	if cause := context.Cause(conn.Context()); !errors.As(cause, &closed) || !closed.Remote || closed.ErrorCode != 0x100 {
		t.Errorf("the connection ended with %v, want H3_NO_ERROR from the server", cause)
	}
	e.ended()
}

func TestShutdownClosesIdleH3(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe))
	conn := e.h3Conn() // whose client would stay
	controlFrames(t, t.Context(), conn)
	must(t, e.Shutdown(t.Context()))
	wait(t, "the connection ends", conn.Context().Done())
	e.ended()
}

func TestQUICHandshakeResults(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe))
	for result, protocol := range map[string]string{"ok": "h3", "refused": "h4"} {
		c, err := quic.DialAddr(t.Context(), e.https(), e.clientTLS(protocol), nil)
		if (err == nil) != (result == "ok") {
			t.Errorf("%s: %v", protocol, err)
		}
		eventually(t, result+" is counted", func() bool {
			return e.metric("handshakes_total", "transport=quic", "result="+result) == 1
		})
		if c != nil {
			_ = c.CloseWithError(0x100, "")
		}
	}
	mistrusting := e.clientTLS("h3")
	mistrusting.ServerName = "elsewhere.example.com"
	if _, err := quic.DialAddr(t.Context(), e.https(), mistrusting, nil); err == nil {
		t.Error("the client should mistrust the certificate")
	}
	eventually(t, "rejected is counted", func() bool {
		return e.metric("handshakes_total", "transport=quic", "result=rejected") == 1
	})
	if n := e.metric("connections_total", "protocol=h3"); n != 1 {
		t.Errorf("%v connections counted, want 1", n)
	}
	if n := e.metric("handshakes_total", "transport=quic"); n != 3 {
		t.Errorf("%v handshakes counted, want 3", n)
	}
}

func TestStreamLimitOfH3(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe), func(c *listener.Config) { c.Limits.Streams = 3 })
	c := e.h3Conn()
	for range 3 {
		_, err := c.OpenStream()
		must(t, err)
	}
	if _, err := c.OpenStream(); !errors.As(err, new(*quic.StreamLimitReachedError)) {
		t.Errorf("a fourth stream: %v", err)
	}
}

func TestLostH3ConnectionIsCounted(t *testing.T) {
	e := serve(t, http.HandlerFunc(describe))
	c := e.h3Conn()
	eventually(t, "the connection is counted", func() bool { return e.metric("connections", "protocol=h3") == 1 })
	_ = c.CloseWithError(0x103, "a breach of the protocol") // H3_STREAM_CREATION_ERROR
	eventually(t, "the loss is counted", func() bool {
		return e.metric("connections_lost_total", "protocol=h3", "reason=error") == 1
	})
}
