package listener_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/listener"
)

// floodTime is how long a flood may last until its connection ends.
const floodTime = time.Minute

// stubborn holds requests until the test ends, whether anybody waits for them or not.
type stubborn struct {
	end           chan struct{}
	running, most atomic.Int64
}

func (s *stubborn) ServeHTTP(http.ResponseWriter, *http.Request) {
	n := s.running.Add(1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	<-s.end
	s.running.Add(-1)
}

// TestH2RapidReset opens streams and resets them at once: of what isn't answered from memory no more is begun than there
// may be streams, and the connection ends. (CVE-2023-44487.)
func TestH2RapidReset(t *testing.T) {
	h := &stubborn{end: make(chan struct{})}
	const streams = 10
	e := serve(t, h, withHits(newHits(t, 10)), func(c *listener.Config) { c.Limits.Streams = streams })
	defer close(h.end)
	c := e.h2()
	must(t, c.conn.SetDeadline(time.Now().Add(floodTime)))
	block := blockOf([2]string{":path", "/miss"})
	go func() {
		for id := uint32(1); id < 20_000; id += 2 { // until it is closed
			if c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: true, EndHeaders: true, BlockFragment: block}) != nil ||
				c.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
				return
			}
		}
	}()
	c.goesAway(http2.ErrCodeEnhanceYourCalm)
	if n := h.most.Load(); n > streams {
		t.Errorf("%d requests at a time", n)
	}
}

// TestH2RapidResetOfHits does the same to streams that are answered as they are read, which costs no more than to ask.
func TestH2RapidResetOfHits(t *testing.T) {
	h := newHits(t, 10)
	c := serve(t, notFound, withHits(h)).h2()
	must(t, c.conn.SetDeadline(time.Now().Add(floodTime)))
	must(t, c.WriteWindowUpdate(0, 1<<20))
	const streams = 5000
	sent := make(chan error, 1)
	go func() {
		var err error
		for i := range uint32(streams) {
			id := 2*i + 1
			err = errors.Join(err, c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: true, EndHeaders: true, BlockFragment: rootBlock()}),
				c.WriteRSTStream(id, http2.ErrCodeCancel))
		}
		sent <- err
	}()
	for id, a := range c.answers(streams) {
		if !a.isHit() || a.octets != 10 {
			t.Fatalf("stream %d: %+v", id, a)
		}
	}
	must(t, <-sent)
}

// TestH2Floods sends frames that must be answered, and takes no answer: the connection ends before what waits for the client
// has grown much.
func TestH2Floods(t *testing.T) {
	for name, frame := range map[string]func(fr *http2.Framer) error{
		"PING": func(fr *http2.Framer) error { return fr.WritePing(false, [8]byte{1}) },
		"malformed requests": func() func(fr *http2.Framer) error {
			id, block := uint32(1), blockOf([2]string{":path", "/"}, [2]string{"connection", "close"})
			return func(fr *http2.Framer) error {
				id += 2
				return fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: true, EndHeaders: true, BlockFragment: block})
			}
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := serve(t, notFound, withHits(newHits(t, 10)), func(c *listener.Config) { c.Limits.SendIdle = time.Second })
			c := e.h2()
			must(t, c.conn.SetDeadline(time.Now().Add(floodTime)))
			var many bytes.Buffer
			for end := time.Now().Add(floodTime); ; {
				many.Reset()
				fr := http2.NewFramer(&many, nil)
				for range 1000 {
					must(t, frame(fr))
				}
				_, err := c.conn.Write(many.Bytes())
				if errors.Is(err, os.ErrDeadlineExceeded) || time.Now().After(end) {
					t.Fatal("the connection goes on")
				}
				if err != nil {
					return
				}
			}
		})
	}
}

// TestH2SettingsFlood sends many SETTINGS and takes no answer: nothing piles up for that.
func TestH2SettingsFlood(t *testing.T) {
	c := serve(t, notFound, withHits(newHits(t, 10))).h2()
	must(t, c.conn.SetDeadline(time.Now().Add(floodTime)))
	var many bytes.Buffer
	fr := http2.NewFramer(&many, nil)
	for range 1000 {
		must(t, fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 16}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
	}
	before := liveHeap()
	for range 200 {
		_, err := c.conn.Write(many.Bytes())
		must(t, err)
	}
	must(t, c.WritePing(false, [8]byte{1}))
	next[*http2.PingFrame](c) // all has been read
	if more := liveHeap() - before; more > 4<<20 {
		t.Errorf("%d bytes more are held", more)
	}
}

func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestH2FieldsOfConnections asks with fields that belong to a connection of H1: the stream ends, the connection doesn't.
func TestH2FieldsOfConnections(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Errorf("%v reaches the handler", r.Header) })
	c := serve(t, handler, withHits(newHits(t, 10))).h2()
	must(t, c.WriteWindowUpdate(0, 1<<20))
	for i, field := range [][2]string{
		{"connection", "keep-alive"},
		{"keep-alive", "5"},
		{"proxy-connection", "close"},
		{"transfer-encoding", "chunked"},
		{"upgrade", "websocket"},
		{"te", "gzip"},
		{"te", ""},
	} {
		id := uint32(2*i + 1)
		c.request(id, field)
		if f, ok := next[*http2.RSTStreamFrame](c); !ok || f.StreamID != id || f.ErrCode != http2.ErrCodeProtocol {
			t.Errorf("%v: got %v, want RST_STREAM with PROTOCOL_ERROR", field, f)
		}
	}
	c.request(101, [2]string{"te", "trailers"})
	if !c.answers(1)[101].isHit() {
		t.Error("the connection doesn't go on")
	}
}

// TestH2RepeatedSetting sets a window twice in one frame: the second value holds.
func TestH2RepeatedSetting(t *testing.T) {
	for name, finder := range map[string]func(*listener.Config){"hit": withHits(newHits(t, 100)), "miss": withHits(noHits{})} {
		t.Run(name, func(t *testing.T) {
			content := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100)) })
			c := serve(t, content, finder).h2()
			window := func(n uint32) http2.Setting { return http2.Setting{ID: http2.SettingInitialWindowSize, Val: n} }
			must(t, c.WriteSettings(window(100), window(1)))
			must(t, c.WriteWindowUpdate(0, 1<<20))
			c.request(1)
			if d, ok := next[*http2.DataFrame](c); !ok || len(d.Data()) != 1 {
				t.Errorf("got %v, want one octet", d)
			}
		})
	}
}

// TestH2LargeFrames sends frames that are larger than SETTINGS allow.
func TestH2LargeFrames(t *testing.T) {
	large := [2]string{"x-large", strings.Repeat("~", 20_000)}
	for name, send := range map[string]func(c *h2Client) error{
		"HEADERS": func(c *h2Client) error {
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, EndHeaders: true, BlockFragment: blockOf([2]string{":path", "/"}, large)})
		},
		"CONTINUATION": func(c *h2Client) error {
			return errors.Join(
				c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, BlockFragment: blockOf([2]string{":path", "/"})}),
				c.WriteContinuation(1, true, blockOf(large)))
		},
		"DATA": func(c *h2Client) error {
			return errors.Join(
				c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: blockOf([2]string{":path", "/"})}),
				c.WriteData(1, true, make([]byte, 20_000)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, notFound, withHits(newHits(t, 10))).h2()
			must(t, send(c))
			c.goesAway(http2.ErrCodeFrameSize)
		})
	}
}

// blockOf is a GET with those fields, the path among them, without any table.
func blockOf(fields ...[2]string) []byte {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	enc.SetMaxDynamicTableSize(0)
	all := append([][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", host}}, fields...)
	if !strings.HasPrefix(fields[0][0], ":") {
		all = fields // of a block that began before
	}
	for _, f := range all {
		_ = enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // into a buffer
	}
	return block.Bytes()
}
