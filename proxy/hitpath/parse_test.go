package hitpath

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/anyedge/anyedge/proxy/hitpath/hitpathtest"
)

const head = "GET /a?b HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n"

func TestParse(t *testing.T) {
	with := func(line string) string { return "GET / HTTP/1.1\r\nHost: example.com\r\n" + line + "\r\n\r\n" }
	f := func(want form, s string) {
		t.Helper()
		var r Request
		n, got := r.parse(s, nil)
		if got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
		if (got == plain || got == strict) && n != strings.Index(s, headEnd)+len(headEnd) {
			t.Errorf("%q: the head has %d octets", s, n)
		}
	}
	f(plain, head)
	f(plain, head+"GET ")
	f(plain, strings.Replace(head, "GET", "HEAD", 1))
	f(plain, with("X:"))
	f(plain, with("X:\t y \t"))
	f(plain, with("X: \x80\xff"))
	f(plain, with("Connection: Keep-Alive"))
	f(strict, with("Connection: close"))
	f(strict, with("Connection: keep-alive, X"))
	f(partial, "")
	f(partial, "HEAD")
	for i := range len(head) {
		f(partial, head[:i])
	}
	f(odd, "GET / HTTP/1.1\n")
	f(odd, "\n")
	f(odd, "\r\n"+head)
	f(odd, " "+head)
	f(odd, "get / HTTP/1.1\r\n")
	f(odd, "POST / HTTP/1.1\r\n")
	f(odd, "GETS / HTTP/1.1\r\n")
	f(odd, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n")
	f(odd, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n")
	f(odd, "GET / HTTP/1.0\r\nHost: a\r\n\r\n")
	f(odd, "GET / HTTP/2.0\r\nHost: a\r\n\r\n")
	f(odd, "GET / http/1.1\r\nHost: a\r\n\r\n")
	f(odd, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n")
	f(odd, "GET /\r\nHost: a\r\n\r\n")
	f(odd, "GET * HTTP/1.1\r\nHost: a\r\n\r\n")
	f(odd, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n")
	f(odd, "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n")
	f(odd, "GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n")
	f(odd, "GET / HTTP/1.1\r\n\r\n")
	f(odd, "GET / HTTP/1.1\r\nHost:\r\n\r\n")
	f(odd, with("Host: example.com"))
	f(odd, with("hOST: example.com"))
	f(odd, with("Content-Length: 0"))
	f(odd, with("cONTENT-lENGTH: 5"))
	f(odd, with("Transfer-Encoding: chunked"))
	f(odd, with("Transfer-Encoding:"))
	f(odd, with("Expect: 100-continue"))
	f(odd, with("Connection:"))
	f(odd, with("Connection: Upgrade"))
	f(odd, with("Connection: keep-alive ,\tUPGRADE"))
	f(odd, with("Connection: keep-alive\r\nConnection: keep-alive"))
	f(odd, with("Content-Length : 5"))
	f(odd, with(" Content-Length: 5"))
	f(odd, with("X: a\r\n b"))
	f(odd, with("X: a\r\n\tb"))
	f(odd, with("X"))
	f(odd, with(": x"))
	f(odd, with("X: a\nY: b"))
	f(odd, with("X: a\rY: b"))
	f(odd, with("X: a\r\r\nY: b"))
	f(odd, with("X: a\x00b"))
	f(odd, with("X: a\x7f"))
	f(odd, with("X\xe9: a"))
	f(odd, with("Connection: close\r\nContent-Length: 5"))
	f(odd, with(strings.Repeat("X: y\r\n", maxFields)+"X: y"))
}

// turnConn is a connection that can make requests a handler's.
func turnConn() *Conn {
	s := &Server{Finder: noHits{}, Context: context.Background(), Header: 16 << 10, IdleTimeout: time.Hour, SendIdle: time.Hour}
	return s.NewConn(tls.Server(hitpathtest.Silent{}, &tls.Config{}), hitpathtest.Unheld{})
}

// told is what a handler can read of a request.
func told(r *http.Request) string {
	return fmt.Sprintf("%q %#v %q %d %d %q %v %d %q %q %t %q %q", r.Method, r.URL, r.Proto, r.ProtoMajor, r.ProtoMinor, r.Header, r.Body == http.NoBody,
		r.ContentLength, r.TransferEncoding, r.Host, r.Close, r.RequestURI, r.Trailer)
}

// FuzzParse holds what the loop recognises to what net/http makes of it: net/http must read the same request, without
// content, to the same octet, and tell a handler the same. What net/http refuses no handler gets.
func FuzzParse(f *testing.F) {
	f.Add(head)
	f.Add("HEAD / HTTP/1.1\r\nhost:a\r\nX: \t\r\nConnection: close\r\n\r\nrest")
	f.Add("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n")
	f.Add("GET //a/%2f;x?y=%zz&a?b HTTP/1.1\r\nHost: a:80\r\npragma: no-cache\r\nX: 1\r\nx: 2\r\nConnection: a, Close\r\n\r\nGET")
	f.Add("GET /a.b/~c,d;e=f:g@h&$+-_? HTTP/1.1\r\nHost: a\r\n\r\n")
	f.Add("GET /a?? HTTP/1.1\r\nHost: a\r\n\r\n")
	f.Add("GET //a:1/|!*'() HTTP/1.1\r\nHost: a\r\n\r\n")
	f.Add("GET /%zz HTTP/1.1\r\nHost: a b\r\n\r\n")
	f.Add("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
	f.Fuzz(func(t *testing.T, s string) {
		var r Request
		n, form := r.parse(s, nil)
		if form != plain && form != strict {
			return
		}
		turn := turnConn().turnOf(&r, s[:n], len(s))
		source := strings.NewReader(s[:n])
		buffered := bufio.NewReader(source)
		want, err := http.ReadRequest(buffered)
		if err != nil || !httpguts.ValidHostHeader(want.Host) {
			if turn != nil {
				t.Errorf("%q: net/http refuses what the loop hands over", s)
			}
			return
		}
		if turn == nil {
			t.Errorf("%q: the loop doesn't hand over", s)
			return
		}
		delete(want.Header, "Host") // as its server does
		if got := told(&turn.request); got != told(want) {
			t.Errorf("%q: the handler is told\n%s\nby net/http\n%s", s, got, told(want))
		}
		switch {
		case want.ContentLength != 0 || len(want.TransferEncoding) > 0:
			t.Errorf("%q has content", s)
		case source.Len()+buffered.Buffered() != 0:
			t.Errorf("%q: the head is shorter than %d octets", s, n)
		case want.Method != r.Method || want.RequestURI != r.Target || want.Host != r.Host:
			t.Errorf("%q: %s %s %s", s, r.Method, r.Host, r.Target)
		}
		for _, field := range r.Fields {
			if got, _ := r.Line(field.Name, 0); got != strings.TrimSpace(want.Header.Get(field.Name)) {
				t.Errorf("%q: %s is %q, want %q", s, field.Name, got, want.Header.Get(field.Name))
			}
		}
	})
}
