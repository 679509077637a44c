package proxy_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anyedge/anyedge/proxy"
)

// TestSmuggling sends what HTTP/1.1 servers have been known to read in two ways, each with a request hidden in it. The
// edge may refuse it, or forward requests that can be read in one way only: what the origin reads by the letter must be
// what the edge meant.
func TestSmuggling(t *testing.T) {
	const hidden = "GET /hidden HTTP/1.1\r\nHost: example.com\r\n\r\n"
	post := func(fields, content string) string {
		return "POST /open HTTP/1.1\r\nHost: example.com\r\n" + fields + "\r\n" + content
	}
	corpus := map[string]string{
		"cl.te":                     post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"),
		"te.cl":                     post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "2b\r\n"+hidden+"\r\n0\r\n\r\n"),
		"te twice":                  post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"+hidden),
		"te list":                   post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"+hidden),
		"te tab":                    post("Transfer-Encoding:\tchunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"+hidden),
		"te vertical tab":           post("Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"+hidden),
		"te space before colon":     post("Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"+hidden),
		"te xchunked":               post("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"+hidden),
		"te quoted":                 post("Transfer-Encoding: \"chunked\"\r\nContent-Length: 5\r\n", "0\r\n\r\n"+hidden),
		"te folded":                 post("Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"+hidden),
		"te in http/1.0":            "POST /open HTTP/1.0\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + hidden,
		"te underscore":             post("Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"+hidden),
		"cl differs":                post("Content-Length: 5\r\nContent-Length: 6\r\n", "0\r\n\r\nG"),
		"cl twice":                  post("Content-Length: 5\r\nContent-Length: 5\r\n", "0\r\n\r\n"+hidden),
		"cl list":                   post("Content-Length: 5, 5\r\n", "0\r\n\r\n"+hidden),
		"cl sign":                   post("Content-Length: +5\r\n", "0\r\n\r\n"+hidden),
		"cl negative":               post("Content-Length: -5\r\n", hidden),
		"cl hex":                    post("Content-Length: 0x5\r\n", "0\r\n\r\n"+hidden),
		"cl empty":                  post("Content-Length: \r\n", hidden),
		"cl overflow":               post("Content-Length: 18446744073709551621\r\n", "0\r\n\r\n"+hidden),
		"chunk size negative":       post("Transfer-Encoding: chunked\r\n", "-1\r\n"+hidden),
		"chunk size 0x":             post("Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n"),
		"chunk size overflow":       post("Transfer-Encoding: chunked\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n"+hidden),
		"chunk size spaced":         post("Transfer-Encoding: chunked\r\n", "5 5\r\nhello\r\n0\r\n\r\n"+hidden),
		"chunk without crlf":        post("Transfer-Encoding: chunked\r\n", "5\r\nhelloXX0\r\n\r\n"+hidden),
		"chunk extension with lf":   post("Transfer-Encoding: chunked\r\n", "5;a=\n\r\nhello\r\n0\r\n\r\n"+hidden),
		"chunk ends in bare lf":     post("Transfer-Encoding: chunked\r\n", "5\nhello\n0\n\n"),
		"chunk ends in bare cr":     post("Transfer-Encoding: chunked\r\n", "5\rhello\r0\r\r"),
		"trailer with cl":           post("Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n", "0\r\nContent-Length: 43\r\n\r\n"),
		"fold":                      post("X: a\r\n Content-Length: 5\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
		"bare lf in a field":        post("X: a\nContent-Length: 5\r\n", "0\r\n\r\n"),
		"bare cr in a field":        post("X: a\rContent-Length: 5\r\n", ""),
		"nul in a field":            post("X: a\x00b\r\nContent-Length: 0\r\n", ""),
		"space before colon":        post("Content-Length : 5\r\n", "0\r\n\r\n"+hidden),
		"field without a colon":     post("Content-Length\r\n", hidden),
		"field without a name":      post(": x\r\n", hidden),
		"space before first field":  "POST /open HTTP/1.1\r\n Content-Length: 5\r\nHost: example.com\r\n\r\n0\r\n\r\n",
		"two hosts":                 "GET /open HTTP/1.1\r\nHost: example.com\r\nHost: evil.example\r\n\r\n",
		"no host":                   "GET /open HTTP/1.1\r\n\r\n",
		"host in the target":        "GET http://example.com/open HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"ftp target":                "GET ftp://example.com/open HTTP/1.1\r\nHost: example.com\r\n\r\n",
		"target without a slash":    "GET open HTTP/1.1\r\nHost: example.com\r\n\r\n",
		"target with a tab":         "GET /open\t/x HTTP/1.1\r\nHost: example.com\r\n\r\n",
		"version 1.2":               "GET /open HTTP/1.2\r\nHost: example.com\r\n\r\n",
		"version 2.0":               "GET /open HTTP/2.0\r\nHost: example.com\r\n\r\n",
		"get with content":          "GET /open HTTP/1.1\r\nHost: example.com\r\nContent-Length: 43\r\n\r\n" + hidden,
		"head with content":         "HEAD /open HTTP/1.1\r\nHost: example.com\r\nContent-Length: 43\r\n\r\n" + hidden,
		"upgrade with content":      "GET /open HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 43\r\n\r\n" + hidden,
		"h2c":                       "GET /open HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
		"connection: cl":            post("Connection: Content-Length\r\nContent-Length: 43\r\n", hidden),
		"connection: te":            post("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", "2b\r\n"+hidden+"\r\n0\r\n\r\n"),
		"expect with a bad content": post("Expect: 100-continue\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"),
	}
	for _, door := range [...]string{"net/http", "loop"} {
		t.Run(door, func(t *testing.T) { smuggle(t, corpus, door == "loop") })
	}
}

// smuggle sends each of corpus on a connection of its own, with the loop for hits before net/http or without.
func smuggle(t *testing.T, corpus map[string]string, loop bool) {
	origin := newRecordingOrigin(t)
	meant := &meantRequests{next: newPool(t, origin.URL)}
	e := newEdge(t, withPool(meant))
	t.Run("corpus", func(t *testing.T) {
		for name, octets := range corpus {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				addr := e.addr
				if loop {
					addr = e.loop
				}
				conn := e.dialAt(t, addr)
				_ = conn.SetDeadline(time.Now().Add(150 * time.Millisecond)) // no answer is an answer
				_, _ = io.WriteString(conn, octets)
				_, _ = io.Copy(io.Discard, conn)
			})
		}
	})
	read := 0
	for _, came := range origin.connections() {
		for _, r := range readStrictly(t, came) {
			read++
			if !meant.take(r) {
				t.Errorf("the origin reads a request that the edge didn't mean: %q", r)
			}
		}
	}
	if read < 10 {
		t.Errorf("the origin read %d requests: the corpus doesn't get through", read)
	}
}

// meantRequests is a pool that keeps what it was asked to send: "METHOD target content".
type meantRequests struct {
	next proxy.Pool
	mu   sync.Mutex // guards the following field
	all  []*meantRequest
}

type meantRequest struct {
	line    string
	content bytes.Buffer
}

func (m *meantRequests) RoundTrip(r *http.Request) (*http.Response, error) {
	one := &meantRequest{line: r.Method + " " + r.URL.RequestURI() + " "}
	m.mu.Lock()
	m.all = append(m.all, one)
	m.mu.Unlock()
	if r.Body != http.NoBody {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, &one.content), r.Body}
	}
	return m.next.RoundTrip(r)
}

// take reports whether request was meant, once each.
func (m *meantRequests) take(request string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.all, func(one *meantRequest) bool { return one.line+one.content.String() == request })
	if i < 0 {
		return false
	}
	m.all = slices.Delete(m.all, i, i+1)
	return true
}

// readStrictly reads the requests that came on a connection by the letter of RFC 9112, as "METHOD target content". What
// isn't complete at the end was broken off.
func readStrictly(t *testing.T, came string) (all []string) {
	for came != "" {
		head, rest, whole := strings.Cut(came, "\r\n\r\n")
		if !whole {
			return all
		}
		lines := strings.Split(head, "\r\n")
		line := strings.Split(lines[0], " ")
		if len(line) != 3 || line[2] != "HTTP/1.1" {
			t.Fatalf("request line %q", lines[0])
		}
		content, rest, whole := cutContent(t, lines[1:], rest)
		if !whole {
			return all
		}
		all = append(all, line[0]+" "+line[1]+" "+content)
		came = rest
	}
	return all
}

// cutContent cuts the content off rest that the fields announce.
func cutContent(t *testing.T, fields []string, rest string) (content, next string, whole bool) {
	framing := ""
	for _, f := range fields {
		name, value, ok := strings.Cut(f, ": ")
		if !ok || name == "" || strings.ContainsAny(name, " \t") || strings.ContainsAny(f, "\r\n\x00") {
			t.Errorf("field line %q", f)
		}
		switch strings.ToLower(strings.ReplaceAll(name, "_", "-")) {
		case "content-length", "transfer-encoding":
			if framing != "" {
				t.Errorf("framed twice: %q", fields)
			}
			framing = value
		case "host":
			if value != "example.com" {
				t.Errorf("%q", f)
			}
		}
	}
	switch framing {
	case "":
		return "", rest, true
	case "chunked":
		return cutChunks(t, rest)
	}
	n, err := strconv.ParseUint(framing, 10, 31)
	if err != nil {
		t.Errorf("framing %q", framing)
	}
	if len(rest) < int(n) {
		return "", "", false
	}
	return rest[:n], rest[n:], true
}

func cutChunks(t *testing.T, rest string) (content, next string, whole bool) {
	for {
		size, after, ok := strings.Cut(rest, "\r\n")
		if !ok {
			return "", "", false
		}
		n, err := strconv.ParseUint(size, 16, 31)
		if err != nil {
			t.Errorf("chunk size %q", size)
			return "", "", false
		}
		if len(after) < int(n)+2 {
			return "", "", false
		}
		if after[n:n+2] != "\r\n" { // the last one's too, without trailers
			t.Errorf("chunk %q", after[:n+2])
		}
		if n == 0 {
			return content, after[2:], true
		}
		content, rest = content+after[:n], after[n+2:]
	}
}

// recordingOrigin is a server that keeps every octet which comes.
type recordingOrigin struct {
	*httptest.Server
	mu   sync.Mutex // guards the following field
	came map[net.Conn]*strings.Builder
}

func newRecordingOrigin(t *testing.T) *recordingOrigin {
	o := &recordingOrigin{came: map[net.Conn]*strings.Builder{}}
	o.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	o.Listener = &recordingListener{o.Listener, o}
	o.Start()
	t.Cleanup(o.Close)
	return o
}

func (o *recordingOrigin) connections() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, came := range o.came {
		all = append(all, came.String())
	}
	return all
}

type recordingListener struct {
	net.Listener
	origin *recordingOrigin
}

func (l *recordingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.origin.mu.Lock()
	defer l.origin.mu.Unlock()
	l.origin.came[c] = &strings.Builder{}
	return &recordingConn{c, l.origin}, nil
}

type recordingConn struct {
	net.Conn
	origin *recordingOrigin
}

func (c *recordingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.origin.mu.Lock()
	defer c.origin.mu.Unlock()
	c.origin.came[c.Conn].Write(p[:n])
	return n, err
}
