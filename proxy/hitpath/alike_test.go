package hitpath

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy/hitpath/hitpathtest"
)

// door is a way to a handler: a loop's, or net/http's.
type door struct {
	name  string
	dial  func() *tls.Conn
	leave func() // as at the end of the listener
}

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

func dialTLS(t *testing.T, addr string) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}) //nolint:gosec // the certificate isn't what is tested
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(limit))
	return c
}

// doors lead to h by the loop and by net/http.
func doors(t *testing.T, h http.Handler) []door {
	std := httptest.NewUnstartedServer(h)
	std.Config.ErrorLog = log.New(io.Discard, "", 0)
	std.StartTLS()
	t.Cleanup(std.Close)
	loop, leave := serveLoop(t, h, std.TLS.Certificates)
	return []door{
		{"loop", func() *tls.Conn { return dialTLS(t, loop) }, leave},
		{"net/http", func() *tls.Conn { return dialTLS(t, std.Listener.Addr().String()) }, func() { std.Config.SetKeepAlivesEnabled(false) }},
	}
}

// serveLoop serves h by loops until the test ends. What they give away is closed.
func serveLoop(t *testing.T, h http.Handler, certs []tls.Certificate) (addr string, leave func()) {
	t.Helper()
	return serveBy(t, &Server{
		Finder: noHits{}, Handler: h, Context: context.Background(), Header: 64 << 10, HeaderTimeout: limit, IdleTimeout: limit, SendIdle: limit,
	}, certs)
}

// serveBy is serveLoop with a server of one's own.
func serveBy(t *testing.T, s *Server, certs []tls.Certificate) (addr string, leave func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	var mu sync.Mutex // guards the following field
	var open []*Conn
	serving.Go(func() { // ends with ln
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				secure := tls.Server(c, &tls.Config{Certificates: certs})
				if secure.Handshake() != nil {
					_ = c.Close()
					return
				}
				loop := s.NewConn(secure, hitpathtest.Unheld{})
				mu.Lock()
				open = append(open, loop)
				mu.Unlock()
				if rest := loop.Serve(); rest != nil {
					_ = rest.Close()
				}
			})
		}
	})
	each := func(f func(*Conn)) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			f(c)
		}
	}
	t.Cleanup(func() {
		_ = ln.Close()
		each(func(c *Conn) { _ = c.NetConn().Close() })
		serving.Wait()
	})
	return ln.Addr().String(), func() { each((*Conn).Leave) }
}

// got is what came back of a request.
type got struct {
	informed []string
	status   string
	fields   http.Header
	length   int64
	coding   []string
	content  string
	trailer  http.Header
	err      string
	closed   bool // the connection was, after that
}

// ask sends a request and reads what comes.
func ask(t *testing.T, c *tls.Conn, method, more string) (g got) {
	t.Helper()
	if _, err := io.WriteString(c, method+" /a?b HTTP/1.1\r\nHost: a\r\n"+more+"\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	var resp *http.Response
	for {
		var err error
		if resp, err = http.ReadResponse(r, &http.Request{Method: method}); err != nil {
			g.err, g.closed = err.Error(), true
			return g
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			break
		}
		g.informed = append(g.informed, fmt.Sprint(resp.Status, resp.Header))
	}
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		g.err = err.Error()
	}
	if date := resp.Header["Date"]; len(date) == 1 {
		if _, err := http.ParseTime(date[0]); err == nil {
			date[0] = "a date"
		}
	}
	g.status, g.fields, g.length, g.coding = resp.Status, resp.Header, resp.ContentLength, resp.TransferEncoding
	g.content, g.trailer = string(content), resp.Trailer
	if g.err == "" && !resp.Close {
		_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: again\r\n\r\n")
		if err == nil {
			resp, err = http.ReadResponse(r, nil)
		}
		g.closed = err != nil || resp.StatusCode != http.StatusNoContent
		return g
	}
	_, err = r.ReadByte()
	g.closed = err != nil
	return g
}

// answers are handlers of every kind; each is asked by GET and HEAD.
var answers = map[string]http.HandlerFunc{
	"nothing":         func(http.ResponseWriter, *http.Request) {},
	"small":           func(w http.ResponseWriter, _ *http.Request) { say(w, 100) },
	"just early":      func(w http.ResponseWriter, _ *http.Request) { say(w, early) },
	"more than early": func(w http.ResponseWriter, _ *http.Request) { say(w, early+1) },
	"early, then more": func(w http.ResponseWriter, _ *http.Request) {
		say(w, 1000)
		say(w, 1000)
		say(w, 1000)
		say(w, 100_000)
	},
	"large":               func(w http.ResponseWriter, _ *http.Request) { say(w, 1<<20) },
	"length":              func(w http.ResponseWriter, _ *http.Request) { announce(w, 100); say(w, 100) },
	"length, large":       func(w http.ResponseWriter, _ *http.Request) { announce(w, 300_000); say(w, 100_000); say(w, 200_000) },
	"length, in pieces":   func(w http.ResponseWriter, _ *http.Request) { announce(w, 30_000); sayAll(w, 30_000, 7) },
	"chunks":              func(w http.ResponseWriter, _ *http.Request) { sayAll(w, 30_000, 1000) },
	"length 0":            func(w http.ResponseWriter, _ *http.Request) { announce(w, 0) },
	"too short":           func(w http.ResponseWriter, _ *http.Request) { announce(w, 100); say(w, 50) },
	"too short, large":    func(w http.ResponseWriter, _ *http.Request) { announce(w, 200_000); say(w, 100_000) },
	"length, and nothing": func(w http.ResponseWriter, _ *http.Request) { announce(w, 100) },
	"too long":            func(w http.ResponseWriter, _ *http.Request) { announce(w, 100); wants(w, http.ErrContentLength, 101) },
	"too long later": func(w http.ResponseWriter, _ *http.Request) {
		announce(w, 100)
		say(w, 100)
		wants(w, http.ErrContentLength, 1)
	},
	"flushed":          func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
	"flushed, content": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); say(w, 10) },
	"content, flushed": func(w http.ResponseWriter, _ *http.Request) { say(w, 10); w.(http.Flusher).Flush(); say(w, 10) },
	"204":              func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204); wants(w, http.ErrBodyNotAllowed, 1) },
	"204 with length":  func(w http.ResponseWriter, _ *http.Request) { announce(w, 5); w.WriteHeader(204) },
	"304": func(w http.ResponseWriter, _ *http.Request) {
		announce(w, 5)
		w.Header().Set("Etag", `"x"`)
		w.Header().Set("Content-Type", "image/png")
		w.WriteHeader(304)
		wants(w, http.ErrBodyNotAllowed, 1)
	},
	"404":                   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 404) },
	"500, without content":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
	"a status nobody knows": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(599); say(w, 3) },
	"twice":                 func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.WriteHeader(202) },
	"no status":             func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(42) },
	"early hints": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(103)
		w.Header().Set("Link", "</b.css>")
		w.Header().Set("Content-Length", "10")
		w.WriteHeader(103)
		w.Header().Del("Link")
		say(w, 10)
	},
	"continue": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(100); say(w, 10) },
	"fields": func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["X-Two"] = []string{"a", " b\t"}
		h["X-Line"] = []string{"a\r\nInjected: b\nc"}
		h["X-Nothing"] = []string{""}
		h["X-None"] = nil
		h["not a name"] = []string{"x"}
		h.Set("Date", "yesterday")
		h.Set("Content-Type", "image/png")
		say(w, 10)
	},
	"no date, no type": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"], w.Header()["Content-Type"] = nil, nil
		say(w, 10)
	},
	"fields too late": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(200)
		w.Header().Set("X-Late", "x")
		w.Header().Set("Content-Type", "image/png")
		say(w, 10)
	},
	"html": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<!DOCTYPE")
		_, _ = io.WriteString(w, " html>")
	},
	"html, chunks": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<!DOCTYPE html>")
		say(w, 5000)
	},
	"html, flushed": func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "<!DOCTYPE html>")
	},
	"encoded":         func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "br"); say(w, 10) },
	"closes":          func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close"); say(w, 10) },
	"says keep-alive": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "keep-alive"); say(w, 10) },
	"trailers": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum, x-more ,Content-Length")
		say(w, 10)
		w.Header().Set("X-Sum", "1")
		w.Header()["X-More"] = []string{"a", "b"}
		w.Header().Set(http.TrailerPrefix+"X-Unannounced", "2")
	},
	"trailers, no content": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(200)
		w.Header().Set("X-Sum", "1")
	},
	"trailers without a word": func(w http.ResponseWriter, _ *http.Request) {
		say(w, 5000)
		w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
	},
	"trailers that can't be": func(w http.ResponseWriter, _ *http.Request) {
		say(w, 50)
		w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
	},
	"trailers and length": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		announce(w, 10)
		say(w, 10)
		w.Header().Set("X-Sum", "1")
	},
	"aborts":                func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	"aborts before content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); panic(http.ErrAbortHandler) },
	"aborts amid content": func(w http.ResponseWriter, _ *http.Request) {
		say(w, 100_000)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	},
	"aborts amid length": func(w http.ResponseWriter, _ *http.Request) {
		announce(w, 100_000)
		say(w, 50_000)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	},
	"deadlines": func(w http.ResponseWriter, _ *http.Request) {
		c := http.NewResponseController(w)
		for _, err := range []error{c.SetReadDeadline(time.Now().Add(limit)), c.SetWriteDeadline(time.Now().Add(limit)), c.EnableFullDuplex(), c.Flush()} {
			if err != nil {
				_, _ = io.WriteString(w, err.Error())
			}
		}
	},
	"what it is told": func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.Method, r.URL, r.RequestURI, r.Host, r.Proto, r.Header, r.ContentLength, r.Close, r.TransferEncoding, r.TLS.Version, r.TLS.HandshakeComplete)
		content, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprint(w, len(content), err, r.RemoteAddr != "", r.Context().Err())
	},
}

func say(w io.Writer, n int) { _, _ = w.Write([]byte(strings.Repeat("x", n))) }

func sayAll(w io.Writer, n, piece int) {
	for ; n > 0; n -= piece {
		say(w, min(n, piece))
	}
}

func announce(w http.ResponseWriter, n int) { w.Header().Set("Content-Length", fmt.Sprint(n)) }

// wants writes n octets, and says so where the error isn't that.
func wants(w http.ResponseWriter, want error, n int) {
	if _, err := w.Write(make([]byte, n)); err != want { //nolint:errorlint // as net/http documents
		w.Header().Set("X-Error", fmt.Sprint(err))
	}
}

// TestAnswersLikeNetHTTP has the same handlers answer by either way, and compares what a client gets.
func TestAnswersLikeNetHTTP(t *testing.T) {
	for name, answer := range answers {
		for _, method := range []string{"GET", "HEAD"} {
			for _, more := range []string{"", "Connection: close\r\n", "Connection: keep-alive, x\r\nX: y\r\nX: z\r\npragma: no-cache\r\n"} {
				t.Run(fmt.Sprint(name, method, more), func(t *testing.T) {
					t.Parallel()
					h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.Host == "again" {
							w.WriteHeader(http.StatusNoContent)
							return
						}
						answer(w, r)
					})
					var all []string
					for _, d := range doors(t, h) {
						all = append(all, fmt.Sprintf("%+v", ask(t, d.dial(), method, more)))
					}
					if all[0] != all[1] {
						t.Errorf("by the loop\n%.500s\nby net/http\n%.500s", all[0], all[1])
					}
				})
			}
		}
	}
}

// TestLastAnswer: with the end of the listener the answer under way tells that it is the last, and who waits is let go.
func TestLastAnswer(t *testing.T) {
	began, end := make(chan struct{}), make(chan struct{})
	ds := doors(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "slow" {
			began <- struct{}{}
			<-end
		}
		say(w, 5)
	}))
	for _, d := range ds {
		c := d.dial()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: slow\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-began
		d.leave()
		end <- struct{}{}
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(resp.Body)
		if !resp.Close || err != nil || len(content) != 5 {
			t.Errorf("%s: %q, %v, close %v", d.name, content, err, resp.Close)
		}
		if _, err := r.ReadByte(); err == nil {
			t.Errorf("%s: there is more", d.name)
		}
	}
}

// TestClientGone: a handler learns that its client has gone, whether that had sent more or not.
func TestClientGone(t *testing.T) {
	for _, more := range []string{"", "GET / HTTP/1.1\r\nHost: next\r\n\r\n", "GET / HT"} {
		began, gone := make(chan struct{}), make(chan error)
		ds := doors(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Host != "slow" {
				return
			}
			began <- struct{}{}
			<-r.Context().Done()
			gone <- r.Context().Err()
		}))
		c := ds[0].dial()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: slow\r\n\r\n"+more); err != nil {
			t.Fatal(err)
		}
		<-began
		_ = c.Close()
		select {
		case err := <-gone:
			if err != context.Canceled { //nolint:errorlint // it is that
				t.Error(err)
			}
		case <-time.After(limit):
			t.Fatalf("the handler doesn't know, after %q", more)
		}
	}
}

// TestSentAhead: what a client sends while it waits is answered afterwards, in order, however slow the handlers are.
func TestSentAhead(t *testing.T) {
	begin := make(chan struct{})
	ds := doors(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-begin
		_, _ = io.WriteString(w, r.URL.Path+r.Header.Get("X"))
	}))
	for _, d := range ds {
		for _, size := range []int{0, 100, 1000, maxAhead, 3 * maxAhead, 12 << 10} {
			c := d.dial()
			var want []string
			sent := make(chan error, 1)
			send := ""
			for i := range 6 {
				x := strings.Repeat("x", size)
				want = append(want, fmt.Sprint("/", i, x))
				send += fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n", i, x)
			}
			go func() {
				for piece := range slices.Chunk([]byte(send), 1+len(send)/5) {
					if _, err := c.Write(piece); err != nil {
						sent <- err
						return
					}
				}
				sent <- nil
			}()
			r := bufio.NewReader(c)
			for i := range want {
				if i%2 == 0 {
					time.Sleep(2 * watchAfter) // somebody may look by then; nothing depends on it
				}
				begin <- struct{}{}
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatalf("%s: answer %d: %v", d.name, i, err)
				}
				content, _ := io.ReadAll(resp.Body)
				if string(content) != want[i] {
					t.Fatalf("%s: answer %d: %.20q of %d octets, want %d", d.name, i, content, len(content), len(want[i]))
				}
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
		}
	}
}
