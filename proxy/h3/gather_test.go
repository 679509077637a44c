package h3_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/anyedge/anyedge/proxy/h3"
)

// dialNarrow opens a connection that gives each stream a window of so many octets, and all of them no more than ten times that.
func (s *server) dialNarrow(window uint64) *quic.Conn {
	s.t.Helper()
	c, err := quic.DialAddr(s.t.Context(), s.addr, s.tls(), &quic.Config{
		InitialStreamReceiveWindow: window, MaxStreamReceiveWindow: window,
		InitialConnectionReceiveWindow: 10 * window, MaxConnectionReceiveWindow: 10 * window,
	})
	must(s.t, err)
	s.t.Cleanup(func() { _ = c.CloseWithError(0x100, "") })
	return c
}

// ledger counts requests that begin and end.
type ledger struct{ open, begun atomic.Int64 }

func (l *ledger) keep(c *h3.Config) {
	c.Begin = func() { l.begun.Add(1); l.open.Add(1) }
	c.End = func() { l.open.Add(-1) }
}

// settled waits until every request has ended.
func (l *ledger) settled(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(patience); l.open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d of %d requests don't end:\n%s", l.open.Load(), l.begun.Load(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// answerOf is the content that /n is answered with: so many octets.
func answerOf(path string) string {
	n, _ := strconv.Atoi(strings.TrimPrefix(path, "/"))
	return strings.Repeat(fmt.Sprint(n%10), n)
}

// TestGatheredAmidTrouble: whole answers that wait to leave together aren't lost, nor kept, whatever the client does to those
// beside them: it takes none, takes part, resets, goes. Windows are small, and handlers slow, or give up.
func TestGatheredAmidTrouble(t *testing.T) {
	var l ledger
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-Do") {
		case "yield":
			runtime.Gosched()
		case "wait":
			time.Sleep(time.Millisecond)
		case "flush":
			w.(http.Flusher).Flush()
		case "abort":
			panic(http.ErrAbortHandler)
		case "read":
			_, _ = io.Copy(io.Discard, r.Body)
		}
		_, _ = io.WriteString(w, answerOf(r.URL.Path))
	}, l.keep)
	var clients sync.WaitGroup
	for i := range 12 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			c := s.dialNarrow([]uint64{200, 3_000, 1 << 20}[i%3])
			var streams sync.WaitGroup
			for n := range 100 {
				st, err := c.OpenStreamSync(t.Context())
				if err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
				seed := random.Uint64()
				streams.Go(func() { trouble(t, st, rand.New(rand.NewPCG(seed, 0))) })
				if i%4 == 3 && n == 50 { // it goes amid all
					_ = c.CloseWithError(0x100, "")
					break
				}
			}
			streams.Wait()
		})
	}
	clients.Wait()
	l.settled(t)
	if l.begun.Load() < 600 {
		t.Errorf("%d requests", l.begun.Load())
	}
}

// trouble is what a client does with one stream.
func trouble(t *testing.T, st *quic.Stream, random *rand.Rand) {
	path := "/" + strconv.Itoa([]int{0, 1, 100, 1_000, 4_000, 12_000, 40_000}[random.IntN(7)])
	do := []string{"", "", "", "yield", "wait", "flush", "abort", "read"}[random.IntN(8)]
	request := headers([2]string{":method", "POST"}, [2]string{":scheme", "https"}, [2]string{":authority", "example.com"},
		[2]string{":path", path}, [2]string{"x-do", do})
	pause := func() {
		for range random.IntN(20) {
			runtime.Gosched()
		}
	}
	_, _ = io.WriteString(st, request)
	way := random.IntN(10)
	if do == "read" {
		way = 9 // the handler waits for the end
	}
	switch way {
	case 0:
		st.CancelWrite(0x10c)
		pause()
		st.CancelRead(0x10c)
	case 1:
		_ = st.Close()
		pause()
		st.CancelRead(0x10c)
	case 2: // it isn't said to be over, and the answer is taken
		pause()
		_, _ = io.Copy(io.Discard, st)
		st.CancelWrite(0x10c)
	case 3:
		_ = st.Close()
		_, _ = io.ReadFull(st, make([]byte, random.IntN(300)))
		st.CancelRead(0x10c)
	default:
		_ = st.Close()
		b, err := io.ReadAll(st)
		switch whole := strings.HasSuffix(string(b), answerOf(path)) && len(b) > 0; {
		case errors.As(err, new(*quic.ApplicationError)): // the client went
		case do == "abort" && err == nil:
			t.Errorf("an answer that was given up has an end: %q", b)
		case do != "abort" && (err != nil || !whole):
			t.Errorf("%s %s: %d octets, %v", path, do, len(b), err)
		}
	}
}

// TestRestOfAnswerIsHeldToTime: a client that gives no window for an answer that is whole already is cut off in its time.
func TestRestOfAnswerIsHeldToTime(t *testing.T) {
	var l ledger
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answerOf("/4000")) }, l.keep,
		func(c *h3.Config) { c.SendIdle = 50 * time.Millisecond })
	st := ask(t, s.dialNarrow(10), get(), true)
	_, err := io.ReadFull(st, make([]byte, 1)) // it has begun
	must(t, err)
	l.settled(t)
	var reset *quic.StreamError
	if b, err := io.ReadAll(st); !errors.As(err, &reset) {
		t.Errorf("%d octets, %v, want a reset", len(b), err)
	}
}

// TestRestOfAnswerAfterDeadline: who has set a deadline for what it wrote, and took its time for the rest, is done when that is
// held: the client has time to take it.
func TestRestOfAnswerAfterDeadline(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(w)
		must(t, control.SetWriteDeadline(time.Now().Add(time.Millisecond)))
		_, _ = io.WriteString(w, answerOf("/1000"))
		time.Sleep(5 * time.Millisecond) // past it
	})
	if b, err := io.ReadAll(ask(t, s.dialNarrow(100), get(), true)); err != nil || !strings.HasSuffix(string(b), answerOf("/1000")) {
		t.Errorf("%d octets, %v", len(b), err)
	}
}
