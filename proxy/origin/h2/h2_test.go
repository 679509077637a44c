package h2_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/origin/h1"
	"github.com/anyedge/anyedge/proxy/origin/h2"
)

// TestRequest: what the server gets is what was asked, by RFC 9113, section 8.3.1, and nothing of H1's.
func TestRequest(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		t.Run(method, func(t *testing.T) {
			got := make(chan map[string]string, 1)
			ended := make(chan bool, 1)
			c, _ := client(t, func(p *peer) {
				p.greet()
				r := p.request()
				fields := map[string]string{}
				for _, f := range r.Fields {
					fields[f.Name] += f.Value + "|"
				}
				got <- fields
				ended <- r.StreamEnded()
				p.headers(r.StreamID, true, ":status", "204")
				p.request()
			})
			r := get(t.Context(), t, "/a?b=%20")
			r.Method, r.Host = method, "shop.example.com"
			r.Header = http.Header{
				"Accept": {"a", "b"}, "X-Odd": {" c "}, "Te": {"trailers"}, "Keep-Alive": {"1"}, "Proxy-Connection": {"close"}, "Via": {"1.1 before"},
				"Cookie": {"a=b"},
			}
			r.Fields = []h1.Field{{Name: "Via", Value: "2.0 edge"}, {Name: "User-Agent"}}
			resp, _, err := fetch(c, r)
			must(t, err)
			if resp.StatusCode != 204 || resp.Proto != "HTTP/2.0" || resp.ContentLength != 0 && method == http.MethodGet || resp.Status != "204 No Content" {
				t.Errorf("%s %s, length %d", resp.Proto, resp.Status, resp.ContentLength)
			}
			want := map[string]string{
				":method": method + "|", ":scheme": "http|", ":authority": "shop.example.com|", ":path": "/a?b=%20|",
				"accept": "a|b|", "x-odd": "c|", "te": "trailers|", "via": "2.0 edge|", "cookie": "a=b|",
			}
			if fields := <-got; !maps.Equal(fields, want) || !<-ended {
				t.Errorf("the server got %v, want %v", fields, want)
			}
		})
	}
}

// TestRefused: what can't be a request isn't sent, and does no harm to others.
func TestRefused(t *testing.T) {
	c, n := client(t, func(p *peer) { p.greet(); p.answerAll() })
	for name, change := range map[string]func(r *h1.Request){
		"host":   func(r *h1.Request) { r.Host = "a b" },
		"target": func(r *h1.Request) { r.URL.RawQuery = "a b" },
		"name":   func(r *h1.Request) { r.Header["A b"] = []string{"c"} },
		"value":  func(r *h1.Request) { r.Header["A"] = []string{"b\nc"} },
		"more":   func(r *h1.Request) { r.Fields = []h1.Field{{Name: "A", Value: "b\r\n"}} },
	} {
		r := get(t.Context(), t, "/wrong")
		change(r)
		if _, _, err := fetch(c, r); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, got, err := fetch(c, get(t.Context(), t, "/right")); got != "/right" || err != nil {
			t.Errorf("%s: the next got %q, %v", name, got, err)
		}
	}
	if n.Load() != 1 {
		t.Errorf("%d connections", n.Load())
	}
}

// TestManyAtOnce: requests share a connection, and each gets its own answer.
func TestManyAtOnce(t *testing.T) {
	c, n := client(t, func(p *peer) { p.greet(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 200}); p.answerAll() })
	if _, _, err := fetch(c, get(t.Context(), t, "/")); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 150 {
		all.Go(func() {
			for j := range 20 {
				path := fmt.Sprintf("/%d/%d", i, j)
				if _, got, err := fetch(c, get(t.Context(), t, path)); got != path || err != nil {
					t.Errorf("%s: %q, %v", path, got, err)
				}
			}
		})
	}
	all.Wait()
	if n.Load() != 1 {
		t.Errorf("%d connections", n.Load())
	}
}

// TestMoreThanStreams: what a connection has no stream for goes over another, and nothing is refused meanwhile.
func TestMoreThanStreams(t *testing.T) {
	const streams, requests = 3, 10
	var total atomic.Int32
	all := make(chan struct{})
	c, n := client(t, func(p *peer) {
		p.greet(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: streams})
		var mu sync.Mutex // guards the following field
		var held []uint32
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			<-all
			mu.Lock()
			defer mu.Unlock()
			for _, id := range held {
				p.answer(id, "content")
			}
		}()
		for r := p.request(); r != nil; r = p.request() {
			mu.Lock()
			if held = append(held, r.StreamID); len(held) > streams {
				t.Errorf("%d streams at a time", len(held))
			}
			mu.Unlock()
			if total.Add(1) == requests {
				close(all)
			}
		}
		<-answered
	})
	var work sync.WaitGroup
	for range requests {
		work.Go(func() {
			if _, got, err := fetch(c, get(t.Context(), t, "/")); got != "content" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	work.Wait()
	if n.Load() != (requests+streams-1)/streams || total.Load() != requests {
		t.Errorf("%d connections, %d requests", n.Load(), total.Load())
	}
}

// TestGoesAway: requests above the last that the server names are sent again elsewhere; those below go on.
func TestGoesAway(t *testing.T) {
	c, n := client(t, func(p *peer) {
		p.greet()
		first := p.request()
		if first == nil {
			return
		}
		if first.PseudoValue("path") != "/first" {
			p.answer(first.StreamID, "elsewhere")
			p.answerAll()
			return
		}
		second := p.request()
		_ = p.WriteGoAway(first.StreamID, http2.ErrCodeNo, nil)
		_ = second
		p.answer(first.StreamID, "goes on")
		p.answerAll()
	})
	answers := make(chan string, 1)
	began := make(chan struct{})
	r := get(t.Context(), t, "/first")
	r.Connected = witness(func(bool) { close(began) })
	go func() {
		_, got, err := fetch(c, r)
		answers <- fmt.Sprint(got, err)
	}()
	<-began
	if _, got, err := fetch(c, get(t.Context(), t, "/second")); got != "elsewhere" || err != nil {
		t.Errorf("the second: %q, %v", got, err)
	}
	if got := <-answers; got != "goes on<nil>" {
		t.Errorf("the first: %s", got)
	}
	if n.Load() != 2 {
		t.Errorf("%d connections", n.Load())
	}
}

// TestFewRequestsForEachConnection: a server that goes away after every third request, while many more are under way, answers all
// of them in the end.
func TestFewRequestsForEachConnection(t *testing.T) {
	const each, requests = 3, 60
	var answered atomic.Int32
	c, n := client(t, func(p *peer) {
		p.greet()
		for i := range each {
			r := p.request()
			if r == nil {
				return
			}
			if i == each-1 {
				_ = p.WriteGoAway(r.StreamID, http2.ErrCodeNo, nil)
			}
			answered.Add(1)
			p.answer(r.StreamID, r.PseudoValue("path"))
		}
		for p.request() != nil { // those above its last
		}
	})
	var all sync.WaitGroup
	for i := range requests {
		all.Go(func() {
			path := fmt.Sprintf("/%d", i)
			if _, got, err := fetch(c, get(t.Context(), t, path)); got != path || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	all.Wait()
	if answered.Load() != requests || n.Load() != requests/each {
		t.Errorf("%d answered over %d connections", answered.Load(), n.Load())
	}
}

type witness func(reused bool)

func (w witness) Connected(reused bool) { w(reused) }

// TestRefusedStream: what the server refuses is sent again, but not for ever.
func TestRefusedStream(t *testing.T) {
	for _, c := range []struct {
		refusals int32
		want     string
	}{{2, "at last<nil>"}, {1000, "the server reset the stream: REFUSED_STREAM"}} {
		var asked atomic.Int32
		cl, n := client(t, func(p *peer) {
			p.greet()
			for r := p.request(); r != nil; r = p.request() {
				if asked.Add(1) <= c.refusals {
					_ = p.WriteRSTStream(r.StreamID, http2.ErrCodeRefusedStream)
					continue
				}
				p.answer(r.StreamID, "at last")
			}
		})
		_, got, err := fetch(cl, get(t.Context(), t, "/"))
		if fmt.Sprint(got, err) != c.want {
			t.Errorf("after %d: %q, %v", c.refusals, got, err)
		}
		if n.Load() != 1 || asked.Load() > 10 {
			t.Errorf("%d connections, asked %d times", n.Load(), asked.Load())
		}
	}
}

// TestOldConnectionIsDead: a server that has closed an idle connection is asked again over a new one.
func TestOldConnectionIsDead(t *testing.T) {
	c, n := client(t, func(p *peer) {
		p.greet()
		if r := p.request(); r != nil {
			p.answer(r.StreamID, "one")
		}
		p.request() // and closes
	})
	var reused []bool
	for range 4 {
		r := get(t.Context(), t, "/")
		r.Connected = witness(func(again bool) { reused = append(reused, again) })
		if _, got, err := fetch(c, r); got != "one" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	if n.Load() != 4 || !slices.Equal(reused, []bool{false, true, false, true, false, true, false}) {
		t.Errorf("%d connections, reused %v", n.Load(), reused)
	}
}

// TestNewConnectionIsDead: what fails over a new one isn't sent again: that is for whoever knows other servers.
func TestNewConnectionIsDead(t *testing.T) {
	c, n := client(t, func(p *peer) { p.greet(); p.request() })
	if _, _, err := fetch(c, get(t.Context(), t, "/")); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	if n.Load() != 1 {
		t.Errorf("%d connections", n.Load())
	}
}

// TestLarge: a content of more than both windows comes whole, one that is chunked into odd frames with padding too.
func TestLarge(t *testing.T) {
	const size = 40 << 20
	c, _ := client(t, func(p *peer) {
		p.greet()
		r := p.request()
		window, conn := int64(65535), int64(65535)
		var mu sync.Mutex // guards the windows
		more := sync.NewCond(&mu)
		for f, err := p.ReadFrame(); err == nil; f, err = p.ReadFrame() { // what came before the request
			if s, ok := f.(*http2.SettingsFrame); ok && s.IsAck() {
				break
			}
		}
		window, conn = 256<<10, 16<<20
		go func() {
			for {
				f, err := p.ReadFrame()
				if err != nil {
					return
				}
				if u, ok := f.(*http2.WindowUpdateFrame); ok {
					mu.Lock()
					if u.StreamID == 0 {
						conn += int64(u.Increment)
					} else {
						window += int64(u.Increment)
					}
					mu.Unlock()
					more.Signal()
				}
			}
		}()
		p.headers(r.StreamID, false, ":status", "200")
		block, pad := bytes.Repeat([]byte("0123456789abcdef"), 1<<10), make([]byte, 100)
		for sent, n := 0, 0; sent < size; n++ {
			part := block[:min(len(block)-n%7*100, size-sent)]
			mu.Lock()
			for min(window, conn) < int64(len(part)+101) {
				more.Wait()
			}
			window, conn = window-int64(len(part)), conn-int64(len(part))
			mu.Unlock()
			if n%3 == 0 && len(part) < 16000 {
				mu.Lock()
				window, conn = window-101, conn-101
				mu.Unlock()
				must(t, p.WriteDataPadded(r.StreamID, false, part, pad))
			} else {
				must(t, p.WriteData(r.StreamID, false, part))
			}
			sent += len(part)
		}
		must(t, p.WriteData(r.StreamID, true, nil))
		<-t.Context().Done()
	})
	resp, err := c.RoundTrip(get(t.Context(), t, "/"))
	must(t, err)
	n, err := io.Copy(io.Discard, resp.Body)
	if n != size || err != nil {
		t.Errorf("%d octets, %v", n, err)
	}
	_ = resp.Body.Close()
}

// TestWindowGrows: who reads faster than the server sends gets twice as much, up to 4 MiB; until then no more is here than was.
func TestWindowGrows(t *testing.T) {
	const frame = 16 << 10
	allowed, next := make(chan int), make(chan int)
	c, _ := client(t, func(p *peer) {
		p.greet()
		r := p.request()
		p.headers(r.StreamID, false, ":status", "200")
		go func() {
			for n := range next {
				for range n / frame {
					_ = p.WriteData(r.StreamID, false, make([]byte, frame))
				}
			}
		}()
		for {
			u, ok := until[*http2.WindowUpdateFrame](p)
			if !ok {
				return
			}
			if u.StreamID == r.StreamID {
				allowed <- int(u.Increment)
			}
		}
	})
	resp, err := c.RoundTrip(get(t.Context(), t, "/"))
	must(t, err)
	defer resp.Body.Close()
	defer close(next)
	read := func(n int) {
		t.Helper()
		_, err := io.ReadFull(resp.Body, make([]byte, n))
		must(t, err)
	}
	more := func(want int) {
		t.Helper()
		for got := 0; got < want; {
			if got += <-allowed; got > want {
				t.Fatalf("%d octets are allowed, want %d", got, want)
			}
		}
	}
	buffered := resp.Body.(interface{ Buffered() int })
	for window := 256 << 10; ; window *= 2 {
		next <- window
		for buffered.Buffered() < window {
			time.Sleep(time.Millisecond) // there is no event
		}
		for range 3 {
			read(window / 4)
			more(window / 4)
		}
		read(window / 4)
		if window == 4<<20 {
			more(window / 4)
			return
		}
		more(window/4 + window)
	}
}

// TestSlowReaderHoldsUpNobody: a content that nobody reads takes its window, and others go on.
func TestSlowReaderHoldsUpNobody(t *testing.T) {
	c, n := client(t, func(p *peer) {
		p.greet()
		for r := p.request(); r != nil; r = p.request() {
			if r.PseudoValue("path") != "/slow" {
				p.answer(r.StreamID, strings.Repeat("x", 16000))
				continue
			}
			p.headers(r.StreamID, false, ":status", "200")
			block := make([]byte, 16<<10)
			for range 256 << 10 / len(block) { // all that its window takes
				must(t, p.WriteData(r.StreamID, false, block))
			}
		}
	})
	slow, err := c.RoundTrip(get(t.Context(), t, "/slow"))
	must(t, err)
	for range 2000 { // twice the connection's window
		if _, got, err := fetch(c, get(t.Context(), t, "/")); len(got) != 16000 || err != nil {
			t.Fatalf("%d octets, %v", len(got), err)
		}
	}
	_ = slow.Body.Close()
	if n.Load() != 1 {
		t.Errorf("%d connections", n.Load())
	}
}

// TestInterim: 1xx responses reach whoever wants to know of them, in their order.
func TestInterim(t *testing.T) {
	c, _ := client(t, func(p *peer) {
		p.greet()
		for r := p.request(); r != nil; r = p.request() {
			p.headers(r.StreamID, false, ":status", "102")
			p.headers(r.StreamID, false, ":status", "103", "link", "</a>")
			p.answer(r.StreamID, "final")
		}
	})
	var came []string
	trace := &httptrace.ClientTrace{Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
		came = append(came, fmt.Sprint(status, h.Get("Link")))
		return nil
	}}
	_, got, err := fetch(c, get(httptrace.WithClientTrace(t.Context(), trace), t, "/"))
	if got != "final" || err != nil || !slices.Equal(came, []string{"102", "103</a>"}) {
		t.Errorf("%q, %v after %q", got, err, came)
	}
	if _, got, err := fetch(c, get(t.Context(), t, "/")); got != "final" || err != nil {
		t.Errorf("nobody wants to know: %q, %v", got, err)
	}
	unwanted := errors.New("unwanted")
	trace.Got1xxResponse = func(int, textproto.MIMEHeader) error { return unwanted }
	if _, _, err := fetch(c, get(httptrace.WithClientTrace(t.Context(), trace), t, "/")); !errors.Is(err, unwanted) {
		t.Errorf("got %v", err)
	}
}

// TestTrailers: the trailer section is there once the content was read, announced or not.
func TestTrailers(t *testing.T) {
	c, _ := client(t, func(p *peer) {
		p.greet()
		r := p.request()
		p.headers(r.StreamID, false, ":status", "200", "trailer", "sum")
		_ = p.WriteData(r.StreamID, false, []byte("content"))
		p.headers(r.StreamID, true, "sum", "1", "other", "2")
		p.request()
	})
	resp, err := c.RoundTrip(get(t.Context(), t, "/"))
	must(t, err)
	if v, ok := resp.Trailer["Sum"]; !ok || v != nil || resp.Header["Trailer"] != nil {
		t.Errorf("announced: %v, fields %v", resp.Trailer, resp.Header)
	}
	content, err := io.ReadAll(resp.Body)
	if string(content) != "content" || err != nil || resp.Trailer.Get("Sum") != "1" || resp.Trailer.Get("Other") != "2" {
		t.Errorf("%q, %v, %v", content, err, resp.Trailer)
	}
	must(t, resp.Body.Close())
}

// TestResponses: what is a response, and what RFC 9113, section 8.1.1, calls malformed. The connection goes on in any case.
func TestResponses(t *testing.T) {
	for _, c := range []struct {
		name   string
		method string
		answer func(p *peer, id uint32)
		want   string // the content; or of the error
	}{
		{"whole", "GET", func(p *peer, id uint32) {
			p.headers(id, false, ":status", "200", "content-length", "4")
			_ = p.WriteData(id, false, []byte("fo"))
			_ = p.WriteData(id, true, []byte("ur"))
		}, "four"},
		{"no content", "GET", func(p *peer, id uint32) { p.headers(id, true, ":status", "200", "content-length", "0") }, ""},
		{"to HEAD", "HEAD", func(p *peer, id uint32) { p.headers(id, true, ":status", "200", "content-length", "4") }, ""},
		{"to HEAD, with an empty frame", "HEAD", func(p *peer, id uint32) {
			p.headers(id, false, ":status", "200", "content-length", "4")
			_ = p.WriteData(id, true, nil)
		}, ""},
		{"304", "GET", func(p *peer, id uint32) { p.headers(id, true, ":status", "304", "content-length", "4") }, ""},
		{"content to HEAD", "HEAD", func(p *peer, id uint32) { p.answer(id, "four") }, "malformed"},
		{"content of a 204", "GET", func(p *peer, id uint32) {
			p.headers(id, false, ":status", "204")
			_ = p.WriteData(id, true, []byte("four"))
		}, "malformed"},
		{"shorter than said", "GET", func(p *peer, id uint32) {
			p.headers(id, false, ":status", "200", "content-length", "5")
			_ = p.WriteData(id, true, []byte("four"))
		}, "malformed"},
		{"longer than said", "GET", func(p *peer, id uint32) {
			p.headers(id, false, ":status", "200", "content-length", "3")
			_ = p.WriteData(id, true, []byte("four"))
		}, "malformed"},
		{"nothing, but a length", "GET", func(p *peer, id uint32) { p.headers(id, true, ":status", "200", "content-length", "4") }, "malformed"},
		{"two lengths", "GET", func(p *peer, id uint32) {
			p.headers(id, true, ":status", "200", "content-length", "0", "content-length", "1")
		}, "malformed"},
		{"a length that is none", "GET", func(p *peer, id uint32) { p.headers(id, true, ":status", "200", "content-length", "+0") }, "malformed"},
		{"no status", "GET", func(p *peer, id uint32) { p.headers(id, true, "content-length", "0") }, "malformed"},
		{"nothing at all", "GET", func(p *peer, id uint32) { p.headers(id, true) }, "malformed"},
		{"two statuses", "GET", func(p *peer, id uint32) { p.headers(id, true, ":status", "200", ":status", "200") }, "malformed"},
		{"a status behind", "GET", func(p *peer, id uint32) { p.headers(id, true, "a", "b", ":status", "200") }, "malformed"},
		{"a status that is none", "GET", func(p *peer, id uint32) { p.headers(id, true, ":status", "2x0") }, "malformed"},
		{"a long status", "GET", func(p *peer, id uint32) { p.headers(id, true, ":status", "0200") }, "malformed"},
		{"101", "GET", func(p *peer, id uint32) { p.headers(id, false, ":status", "101") }, "malformed"},
		{"a request's field", "GET", func(p *peer, id uint32) { p.headers(id, true, ":status", "200", ":path", "/") }, "malformed"},
		{"a large letter", "GET", func(p *peer, id uint32) { p.headers(id, true, ":status", "200", "A", "b") }, "malformed"},
		{"a field of H1's", "GET", func(p *peer, id uint32) { p.headers(id, true, ":status", "200", "connection", "close") }, "malformed"},
		{"an odd value", "GET", func(p *peer, id uint32) { p.headers(id, true, ":status", "200", "a", "b\nc") }, "malformed"},
		{"an interim end", "GET", func(p *peer, id uint32) { p.headers(id, true, ":status", "103") }, "malformed"},
		{"content first", "GET", func(p *peer, id uint32) { _ = p.WriteData(id, true, []byte("four")) }, "malformed"},
		{"two responses", "GET", func(p *peer, id uint32) {
			p.headers(id, false, ":status", "200")
			p.headers(id, false, ":status", "200")
		}, "malformed"},
		{"a pseudo trailer", "GET", func(p *peer, id uint32) {
			p.headers(id, false, ":status", "200")
			p.headers(id, true, ":status", "200")
		}, "malformed"},
		{"a large header section", "GET", func(p *peer, id uint32) {
			p.headers(id, true, ":status", "200", "a", strings.Repeat("b", 9000), "c", strings.Repeat("d", 7000))
			for range 9 {
				p.headers(id, true, ":status", "103", "a", strings.Repeat("b", 9000))
			}
		}, ""},
		{"large interim header sections", "GET", func(p *peer, id uint32) {
			for range 9 {
				p.headers(id, false, ":status", "103", "a", strings.Repeat("b", 9000))
			}
		}, "response headers exceeded"},
		{"reset", "GET", func(p *peer, id uint32) { _ = p.WriteRSTStream(id, http2.ErrCodeInternal) }, "INTERNAL_ERROR"},
		{"reset amid the content", "GET", func(p *peer, id uint32) {
			p.headers(id, false, ":status", "200")
			_ = p.WriteData(id, false, []byte("four"))
			_ = p.WriteRSTStream(id, http2.ErrCodeInternal)
		}, "INTERNAL_ERROR"},
		{"ended by a reset", "GET", func(p *peer, id uint32) {
			p.answer(id, "four")
			_ = p.WriteRSTStream(id, http2.ErrCodeNo)
		}, "four"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl, n := client(t, func(p *peer) {
				p.greet()
				for r := p.request(); r != nil; r = p.request() {
					if r.PseudoValue("path") == "/odd" {
						c.answer(p, r.StreamID)
					} else {
						p.answer(r.StreamID, "next")
					}
				}
			})
			r := get(t.Context(), t, "/odd")
			r.Method = c.method
			_, got, err := fetch(cl, r)
			switch {
			case err == nil && got != c.want:
				t.Errorf("got %q, want %q", got, c.want)
			case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
			if _, got, err := fetch(cl, get(t.Context(), t, "/")); got != "next" || err != nil {
				t.Errorf("the next: %q, %v", got, err)
			}
			if n.Load() != 1 {
				t.Errorf("%d connections", n.Load())
			}
		})
	}
}

// TestBreaches: a server that breaks the protocol is told so by GOAWAY, its requests fail, and the next goes over another
// connection.
func TestBreaches(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(p *peer, id uint32)
		code http2.ErrCode
	}{
		{"a large frame", func(p *peer, _ uint32) { _ = p.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 16385)) }, http2.ErrCodeFrameSize},
		{"a push", func(p *peer, id uint32) {
			_ = p.WritePushPromise(http2.PushPromiseParam{StreamID: id, PromiseID: 2, EndHeaders: true})
		}, http2.ErrCodeProtocol},
		{"its own stream", func(p *peer, _ uint32) { p.headers(2, true, ":status", "200") }, http2.ErrCodeProtocol},
		{"a stream to come", func(p *peer, id uint32) { p.headers(id+2, true, ":status", "200") }, http2.ErrCodeProtocol},
		{"DATA of a stream to come", func(p *peer, id uint32) { _ = p.WriteData(id+2, true, nil) }, http2.ErrCodeProtocol},
		{"RST_STREAM of a stream to come", func(p *peer, id uint32) { _ = p.WriteRSTStream(id+2, 0) }, http2.ErrCodeProtocol},
		{"WINDOW_UPDATE of a stream to come", func(p *peer, id uint32) { _ = p.WriteWindowUpdate(id+2, 1) }, http2.ErrCodeProtocol},
		{"a block that is none", func(p *peer, id uint32) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff, 0xff}, EndHeaders: true})
		}, http2.ErrCodeCompression},
		{"CONTINUATION of nothing", func(p *peer, id uint32) { _ = p.WriteContinuation(id, true, nil) }, http2.ErrCodeProtocol},
		{"a frame amid a block", func(p *peer, id uint32) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x88}})
			_ = p.WritePing(false, [8]byte{})
		}, http2.ErrCodeProtocol},
		{"a block that doesn't end", func(p *peer, id uint32) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x88}})
			for range 100 {
				_ = p.WriteContinuation(id, false, []byte{0x88})
			}
		}, http2.ErrCodeEnhanceYourCalm},
		{"padding that is too long", func(p *peer, id uint32) { _ = p.WriteRawFrame(http2.FrameData, http2.FlagDataPadded, id, []byte{9, 1}) }, http2.ErrCodeProtocol},
		{"a PING that is none", func(p *peer, _ uint32) { _ = p.WriteRawFrame(http2.FramePing, 0, 0, []byte{1}) }, http2.ErrCodeFrameSize},
		{"SETTINGS on a stream", func(p *peer, id uint32) { _ = p.WriteRawFrame(http2.FrameSettings, 0, id, nil) }, http2.ErrCodeProtocol},
		{"a window above the largest", func(p *peer, _ uint32) {
			_ = p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31})
		}, http2.ErrCodeFlowControl},
		{"a small frame size", func(p *peer, _ uint32) { _ = p.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1}) }, http2.ErrCodeProtocol},
		{"a server that would be pushed to", func(p *peer, _ uint32) { _ = p.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 1}) }, http2.ErrCodeProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			said, first := make(chan http2.ErrCode, 1), true
			var mu sync.Mutex // guards first
			cl, n := client(t, func(p *peer) {
				p.AllowIllegalWrites = true
				p.greet()
				mu.Lock()
				breaks := first
				first = false
				mu.Unlock()
				if !breaks {
					p.answerAll()
					return
				}
				r := p.request()
				c.do(p, r.StreamID)
				if g, ok := until[*http2.GoAwayFrame](p); ok {
					said <- g.ErrCode
				}
				close(said)
			})
			if _, _, err := fetch(cl, get(t.Context(), t, "/")); err == nil {
				t.Error("no error")
			}
			if code, ok := <-said; code != c.code || !ok {
				t.Errorf("the server is told %v, want %v", code, c.code)
			}
			if _, got, err := fetch(cl, get(t.Context(), t, "/next")); got != "/next" || err != nil {
				t.Errorf("the next: %q, %v", got, err)
			}
			if n.Load() != 2 {
				t.Errorf("%d connections", n.Load())
			}
		})
	}
}

// TestNoSettings: a server that doesn't begin with SETTINGS speaks something else.
func TestNoSettings(t *testing.T) {
	c, _ := client(t, func(p *peer) { _, _ = io.WriteString(p.Conn, "HTTP/1.1 400 Bad Request\r\n\r\n"); p.request() })
	if _, _, err := fetch(c, get(t.Context(), t, "/")); err == nil {
		t.Error("no error")
	}
}

// TestWindowIsHeld: a server that sends more than it may is stopped.
func TestWindowIsHeld(t *testing.T) {
	reset := make(chan struct{})
	c, _ := client(t, func(p *peer) {
		p.greet()
		for r := p.request(); r != nil; r = p.request() {
			if r.PseudoValue("path") != "/much" {
				p.answer(r.StreamID, "next")
				continue
			}
			p.headers(r.StreamID, false, ":status", "200")
			for range 256<<10/(16<<10) + 1 {
				_ = p.WriteData(r.StreamID, false, make([]byte, 16<<10))
			}
			if f, ok := until[*http2.RSTStreamFrame](p); !ok || f.ErrCode != http2.ErrCodeFlowControl {
				t.Errorf("reset by %v", f)
			}
			close(reset)
		}
	})
	resp, err := c.RoundTrip(get(t.Context(), t, "/much"))
	<-reset
	if err == nil { // the header section was taken before
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	if err == nil {
		t.Error("no error")
	}
	if _, got, err := fetch(c, get(t.Context(), t, "/")); got != "next" || err != nil {
		t.Errorf("the next: %q, %v", got, err)
	}
}

// TestTimes: each wait has its end, and says so; the connection goes on.
func TestTimes(t *testing.T) {
	const short = 50 * time.Millisecond
	for name, c := range map[string]struct {
		change func(c *h2.Client)
		answer func(p *peer, id uint32)
	}{
		"first byte": {func(c *h2.Client) { c.FirstByte = short }, func(*peer, uint32) {}},
		"first byte behind an interim response": {func(c *h2.Client) { c.FirstByte = short }, func(p *peer, id uint32) {
			p.headers(id, false, ":status", "103")
		}},
		"content": {func(c *h2.Client) { c.Idle = short }, func(p *peer, id uint32) {
			p.headers(id, false, ":status", "200")
			_ = p.WriteData(id, false, []byte("four"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			resets := make(chan http2.ErrCode, 1)
			cl, n := client(t, func(p *peer) {
				p.greet()
				r := p.request()
				c.answer(p, r.StreamID)
				f, _ := until[*http2.RSTStreamFrame](p)
				resets <- f.ErrCode
				p.answerAll()
			})
			c.change(cl)
			if _, _, err := fetch(cl, get(t.Context(), t, "/")); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if code := <-resets; code != http2.ErrCodeCancel {
				t.Errorf("reset by %v", code)
			}
			cl.FirstByte = patience // nobody asks now
			if _, got, err := fetch(cl, get(t.Context(), t, "/next")); got != "/next" || err != nil || n.Load() != 1 {
				t.Errorf("the next: %q, %v, %d connections", got, err, n.Load())
			}
		})
	}
}

// TestDeadServer: one that says nothing at all is asked by PING, and given up when it doesn't answer that either.
func TestDeadServer(t *testing.T) {
	hang := make(chan struct{})
	c, _ := client(t, func(p *peer) {
		p.greet()
		p.request()
		<-hang // reads nothing more
	})
	defer close(hang)
	c.Quiet, c.Pong = 30*time.Millisecond, 30*time.Millisecond
	_, _, err := fetch(c, get(t.Context(), t, "/"))
	if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "PING") {
		t.Errorf("got %v", err)
	}
}

// TestSlowServer: one that answers PINGs may take its time.
func TestSlowServer(t *testing.T) {
	c, _ := client(t, func(p *peer) {
		p.greet()
		r := p.request()
		for range 3 {
			f, ok := until[*http2.PingFrame](p)
			if !ok {
				return
			}
			_ = p.WritePing(true, f.Data)
		}
		p.answer(r.StreamID, "late")
		p.request()
	})
	c.Quiet = 20 * time.Millisecond
	if _, got, err := fetch(c, get(t.Context(), t, "/")); got != "late" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestServerAsks: PING and SETTINGS are answered.
func TestServerAsks(t *testing.T) {
	c, _ := client(t, func(p *peer) {
		p.greet()
		r := p.request()
		_ = p.WritePing(false, [8]byte{1, 2, 3})
		for settled, pong := false, false; !settled || !pong; {
			f, err := p.ReadFrame()
			if err != nil {
				t.Errorf("no answer: %v", err)
				return
			}
			switch f := f.(type) {
			case *http2.SettingsFrame:
				settled = settled || f.IsAck()
			case *http2.PingFrame:
				pong = f.IsAck() && f.Data == [8]byte{1, 2, 3}
			}
		}
		p.answer(r.StreamID, "done")
		p.request()
	})
	if _, got, err := fetch(c, get(t.Context(), t, "/")); got != "done" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestCanceled: whoever leaves, at any time, resets the stream, and nothing else.
func TestCanceled(t *testing.T) {
	began, resets := make(chan struct{}, 1), make(chan uint32, 10)
	c, n := client(t, func(p *peer) {
		p.greet()
		for {
			f, err := p.ReadFrame()
			if err != nil {
				return
			}
			switch f := f.(type) {
			case *http2.MetaHeadersFrame:
				switch f.PseudoValue("path") {
				case "/silent":
				case "/begins":
					p.headers(f.StreamID, false, ":status", "200")
					_ = p.WriteData(f.StreamID, false, []byte("four"))
				default:
					p.answer(f.StreamID, "next")
					continue
				}
				began <- struct{}{}
			case *http2.RSTStreamFrame:
				resets <- f.StreamID
			}
		}
	})
	cause := errors.New("the client has left")
	for name, leave := range map[string]func(ctx context.Context, cancel context.CancelCauseFunc) error{
		"before the answer": func(ctx context.Context, cancel context.CancelCauseFunc) error {
			go func() { <-began; cancel(cause) }()
			_, err := c.RoundTrip(get(ctx, t, "/silent"))
			return err
		},
		"in the content": func(ctx context.Context, cancel context.CancelCauseFunc) error {
			go func() { <-began; cancel(cause) }()
			resp, err := c.RoundTrip(get(ctx, t, "/begins"))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			_, err = io.ReadAll(resp.Body)
			return err
		},
		"by Close": func(ctx context.Context, _ context.CancelCauseFunc) error {
			resp, err := c.RoundTrip(get(ctx, t, "/begins"))
			if err != nil {
				return err
			}
			<-began
			must(t, resp.Body.Close())
			if _, err := resp.Body.Read(make([]byte, 1)); err == nil {
				t.Error("a closed content is read")
			}
			return cause
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if err := leave(ctx, cancel); !errors.Is(err, cause) {
				t.Errorf("got %v", err)
			}
			<-resets
			if _, got, err := fetch(c, get(t.Context(), t, "/next")); got != "next" || err != nil {
				t.Errorf("the next: %q, %v", got, err)
			}
		})
	}
	if n.Load() != 1 {
		t.Errorf("%d connections", n.Load())
	}
}

// TestIdle: a connection without requests is closed after a while, with GOAWAY, or when that is asked for; one with a request
// isn't.
func TestIdle(t *testing.T) {
	gone := make(chan bool, 10)
	serve := func(p *peer) {
		p.greet()
		for {
			f, err := p.ReadFrame()
			if err != nil {
				return
			}
			switch f := f.(type) {
			case *http2.MetaHeadersFrame:
				p.answer(f.StreamID, "content")
			case *http2.GoAwayFrame:
				gone <- f.ErrCode == http2.ErrCodeNo
			}
		}
	}
	t.Run("after a while", func(t *testing.T) {
		c, _ := client(t, serve)
		c.KeepAlive = 50 * time.Millisecond
		if _, _, err := fetch(c, get(t.Context(), t, "/")); err != nil {
			t.Fatal(err)
		}
		if !<-gone {
			t.Error("something is wrong")
		}
	})
	t.Run("asked for", func(t *testing.T) {
		c, _ := client(t, serve)
		resp, err := c.RoundTrip(get(t.Context(), t, "/"))
		must(t, err)
		_, err = io.ReadAll(resp.Body)
		must(t, err)
		c.CloseIdle()
		if !<-gone {
			t.Error("something is wrong")
		}
		must(t, resp.Body.Close())
	})
	t.Run("in use", func(t *testing.T) {
		release := make(chan struct{})
		c, n := client(t, func(p *peer) {
			p.greet()
			r := p.request()
			<-release
			p.answer(r.StreamID, "content")
			p.request()
		})
		began := make(chan struct{})
		r := get(t.Context(), t, "/")
		r.Connected = witness(func(bool) { close(began) })
		go func() { <-began; c.CloseIdle(); close(release) }()
		if _, got, err := fetch(c, r); got != "content" || err != nil || n.Load() != 1 {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestTable: the server's header table is kept in step, whoever has given up meanwhile.
func TestTable(t *testing.T) {
	c, _ := client(t, func(p *peer) {
		p.greet()
		for r := p.request(); r != nil; r = p.request() {
			p.block.Reset()
			for _, f := range []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "path", Value: r.PseudoValue("path")}, {Name: "same", Value: "as ever"}} {
				_ = p.encoder.WriteField(f)
			}
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: r.StreamID, BlockFragment: p.block.Bytes(), EndHeaders: true, PadLength: 7})
			_ = p.WriteData(r.StreamID, true, []byte("content"))
		}
	})
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			for j := range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				if j%3 == 0 {
					go cancel()
				}
				path := fmt.Sprintf("/%d/%d", i, j)
				resp, _, err := fetch(c, get(ctx, t, path))
				if err != nil && j%3 != 0 || err == nil && (resp.Header.Get("Path") != path || resp.Header.Get("Same") != "as ever") {
					t.Errorf("%s: %v, %v", path, resp, err)
				}
				cancel()
			}
		})
	}
	all.Wait()
}
