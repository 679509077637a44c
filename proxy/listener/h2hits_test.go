package listener_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/anyedge/anyedge/proxy/listener"
)

// h2Answer is what came on a stream.
type h2Answer struct {
	fields map[string]string
	octets int
}

// answers reads until n streams have ended; it tells what they were answered.
func (c *h2Client) answers(n int) map[uint32]*h2Answer {
	c.t.Helper()
	if c.ReadMetaHeaders == nil {
		c.ReadMetaHeaders = hpack.NewDecoder(4<<10, nil)
	}
	list := map[uint32]*h2Answer{}
	for ended := 0; ended < n; {
		frame, err := c.ReadFrame()
		if err != nil {
			c.t.Fatalf("%d of %d streams have ended: %v", ended, n, err)
		}
		id := frame.Header().StreamID
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			a := &h2Answer{fields: map[string]string{}}
			for _, field := range f.Fields {
				a.fields[field.Name] = field.Value
			}
			list[id] = a
		case *http2.DataFrame:
			list[id].octets += len(f.Data())
		case *http2.GoAwayFrame, *http2.RSTStreamFrame:
			c.t.Fatalf("%v", f)
		default:
			continue
		}
		if frame.Header().Flags.Has(http2.FlagDataEndStream) {
			ended++
		}
	}
	return list
}

func (a *h2Answer) isHit() bool { return a != nil && strings.Contains(a.fields["cache-status"], "hit") }

// goesAway reads until the connection ends, and wants GOAWAY with that code before.
func (c *h2Client) goesAway(code http2.ErrCode) {
	c.t.Helper()
	if f, ok := next[*http2.GoAwayFrame](c); !ok || f.ErrCode != code {
		c.t.Errorf("got %v, want GOAWAY with %v", f, code)
	}
}

// block encodes a GET for path, with fields, in enc's table.
func getBlock(t *testing.T, enc *hpack.Encoder, block *bytes.Buffer, path string, fields ...[2]string) []byte {
	t.Helper()
	block.Reset()
	for _, f := range append([][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", host}, {":path", path}}, fields...) {
		must(t, enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	return block.Bytes()
}

// TestH2HitsOfEverySize asks for contents below and above what is written at once.
func TestH2HitsOfEverySize(t *testing.T) {
	for _, size := range []int{0, 1, 1000, 16 << 10, 16<<10 + 1, 100_000, 300_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			h := newHits(t, size)
			e := serve(t, notFound, withHits(h))
			c := e.h2()
			must(t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
			must(t, c.WriteWindowUpdate(0, 64<<20))
			const streams = 40
			for i := range streams {
				c.request(uint32(2*i + 1))
			}
			for id, a := range c.answers(streams) {
				if !a.isHit() || a.octets != size || a.fields[":status"] != "200" || a.fields["content-length"] != fmt.Sprint(size) || a.fields["age"] == "" {
					t.Errorf("stream %d: %d octets, %v", id, a.octets, a.fields)
				}
			}
			for i := range streams {
				if a := h.wait(t, i+1); !a.Whole || a.Sent != int64(size) {
					t.Errorf("account %d: %+v", i, a)
				}
			}
		})
	}
}

// TestH2HitsKeepToWindows sends no more than the client's windows allow, and the rest when they do.
func TestH2HitsKeepToWindows(t *testing.T) {
	for name, tt := range map[string]struct {
		size, stream, most int
		more               uint32 // of the connection's window
	}{
		"there is room":         {size: 50_000, stream: 50_000, more: 1 << 20, most: 50_000},
		"not in the stream":     {size: 50_001, stream: 50_000, more: 1 << 20, most: 50_000},
		"not in the connection": {size: 100_000, stream: 1 << 20, most: 65_535},
		"no window at all":      {size: 1, more: 1 << 20},
		"large":                 {size: 10_000_000, stream: 9_000_000, more: 1 << 24, most: 9_000_000},
		"nothing to be sent":    {},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHits(t, tt.size)
			c := serve(t, notFound, withHits(h)).h2()
			must(t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(tt.stream)}))
			if tt.more > 0 {
				must(t, c.WriteWindowUpdate(0, tt.more))
			}
			c.request(1)
			sent := 0
			for sent < tt.most {
				d, _ := next[*http2.DataFrame](c)
				sent += len(d.Data())
			}
			must(t, c.WritePing(false, [8]byte{1}))
			for pinged := false; !pinged; {
				f, err := c.ReadFrame()
				must(t, err)
				if d, ok := f.(*http2.DataFrame); ok && len(d.Data()) > 0 {
					t.Fatalf("%d octets more", len(d.Data()))
				}
				_, pinged = f.(*http2.PingFrame)
			}
			if sent < tt.size {
				must(t, errors.Join(c.WriteWindowUpdate(0, 1<<20), c.WriteWindowUpdate(1, 1<<20)))
			}
			for sent < tt.size {
				d, _ := next[*http2.DataFrame](c)
				sent += len(d.Data())
			}
			if a := h.wait(t, 1); sent != tt.size || !a.Whole || a.Sent != int64(tt.size) {
				t.Errorf("%d octets, %+v", sent, a)
			}
		})
	}
}

// TestH2WindowIsShared sends more than the first window in small steps: both sides together never send more than the client
// takes, and neither starves.
func TestH2WindowIsShared(t *testing.T) {
	const size = 10_000
	e := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, size))
	}), withHits(newHits(t, size)))
	c := e.h2()
	must(t, c.WriteWindowUpdate(0, 40_000))
	hits, window := 0, 65_535+40_000
	var table bytes.Buffer
	enc := hpack.NewEncoder(&table)
	for i := range 60 {
		id := uint32(2*i + 1)
		path := []string{"/", "/miss", "/miss"}[i%3]
		must(t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: getBlock(t, enc, &table, path), EndStream: true, EndHeaders: true}))
		a := c.answers(1)[id]
		if a.isHit() {
			hits++
		}
		if window -= a.octets; a.octets != size || window < 0 {
			t.Fatalf("answer %d: %d octets, %d left", i, a.octets, window)
		}
		if window < 40_000 {
			must(t, c.WriteWindowUpdate(0, 20_000))
			window += 20_000
		}
	}
	if hits != 20 {
		t.Errorf("%d hits", hits)
	}
}

// TestH2HitsBesideOthers mixes hits with uploads and misses on one connection: the header tables and the windows of both
// sides must stay in step.
func TestH2HitsBesideOthers(t *testing.T) {
	h := newHits(t, 5000)
	e := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("X-Name"))
		_, _ = io.Copy(w, r.Body)
	}), withHits(h))
	client := e.client(listener.H2)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 50 {
				name := fmt.Sprintf("name-%d-%d", i, j%7)
				content := strings.Repeat(name, 2000)
				r, _ := http.NewRequest("PUT", "https://"+e.https()+"/", strings.NewReader(content))
				if j%2 == 0 {
					r, _ = http.NewRequest("GET", "https://"+e.https()+"/", nil)
				}
				r.Host = host
				r.Header.Set("X-Name", name)
				resp, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				switch hit := resp.Header.Get("Cache-Status") != ""; {
				case err != nil || hit != (j%2 == 0) || hit && len(b) != 5000:
					t.Errorf("%s %s: hit %t, %d octets, %v", r.Method, name, hit, len(b), err)
				case !hit && (string(b) != content || resp.Header.Get("X-Echo") != name):
					t.Errorf("%s: another's answer", name)
				}
			}
		})
	}
	all.Wait()
}

// TestH2HeaderTable goes on with a header table that requests of both kinds have filled.
func TestH2HeaderTable(t *testing.T) {
	e := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Saw", r.Header.Get("X-First")+r.Header.Get("X-Second")+r.Header.Get("Cookie"))
	}), withHits(newHits(t, 10)))
	c := e.h2()
	must(t, c.WriteWindowUpdate(0, 1<<20))
	var table bytes.Buffer
	enc := hpack.NewEncoder(&table)
	ask := func(id uint32, path string, fields ...[2]string) *h2Answer {
		t.Helper()
		block := getBlock(t, enc, &table, path, fields...)
		half := len(block) / 2
		must(t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:half], EndStream: true}))
		must(t, c.WriteContinuation(id, true, block[half:]))
		return c.answers(1)[id]
	}
	first, second := [2]string{"x-first", "a"}, [2]string{"x-second", "b"}
	if !ask(1, "/", first).isHit() {
		t.Error("no hit")
	}
	if a := ask(3, "/miss", first, second); a.fields["x-saw"] != "ab" {
		t.Errorf("%v", a.fields)
	}
	if !ask(5, "/", second, first, [2]string{"te", "trailers"}, [2]string{"cookie", "a=1"}, [2]string{"cookie", "b=2"}).isHit() {
		t.Error("no hit")
	}
	if a := ask(7, "/miss", first, [2]string{"cookie", "a=1"}, [2]string{"cookie", "b=2"}); a.fields["x-saw"] != "aa=1; b=2" {
		t.Errorf("%v", a.fields)
	}
	must(t, c.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0}))
	c.ReadMetaHeaders = nil
	for i, path := range []string{"/", "/miss"} {
		must(t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(9 + 2*i), BlockFragment: getBlock(t, enc, &table, path), EndStream: true, EndHeaders: true}))
		if f, ok := next[*http2.HeadersFrame](c); !ok || f.HeaderBlockFragment()[0] != 0x20 {
			t.Errorf("%s: %x, without the table's new size before it", path, f.HeaderBlockFragment())
		}
	}
}

// TestH2FramesOfAnsweredStreams sends what may and what may not come on a stream that is over.
func TestH2FramesOfAnsweredStreams(t *testing.T) {
	answered := func(t *testing.T) *h2Client {
		c := serve(t, notFound, withHits(newHits(t, 10))).h2()
		must(t, c.WriteWindowUpdate(0, 1<<20))
		c.request(1)
		c.answers(1)
		return c
	}
	t.Run("harmless", func(t *testing.T) {
		c := answered(t)
		must(t, errors.Join(
			c.WriteWindowUpdate(1, 10), c.WriteRSTStream(1, http2.ErrCodeCancel), c.WritePriority(1, http2.PriorityParam{StreamDep: 0}),
			c.WritePing(false, [8]byte{1}),
		))
		c.request(3)
		if !c.answers(1)[3].isHit() {
			t.Error("the connection doesn't go on")
		}
	})
	for name, tt := range map[string]struct {
		send func(c *h2Client) error
		code http2.ErrCode
	}{
		"content":      {func(c *h2Client) error { return c.WriteData(1, true, []byte("x")) }, http2.ErrCodeStreamClosed},
		"again":        {func(c *h2Client) error { c.request(1); return nil }, http2.ErrCodeStreamClosed},
		"a large gift": {func(c *h2Client) error { return c.WriteWindowUpdate(0, 1<<31-1) }, http2.ErrCodeFlowControl},
		"nonsense": {func(c *h2Client) error {
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff}, EndHeaders: true})
		}, http2.ErrCodeCompression},
		"a frame between": {func(c *h2Client) error {
			return errors.Join(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0x82}}), c.WritePing(false, [8]byte{}))
		}, http2.ErrCodeProtocol},
		"a frame's content between": {func(c *h2Client) error {
			return errors.Join(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0x82}}), c.WriteData(3, true, nil))
		}, http2.ErrCodeProtocol},
		"no end": {func(c *h2Client) error {
			err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0x82}})
			for range 100 {
				_ = c.WriteContinuation(3, false, nil) // the last may find nobody
			}
			return err
		}, http2.ErrCodeEnhanceYourCalm},
		"no request": {func(c *h2Client) error {
			return c.WriteContinuation(3, true, []byte{0x82})
		}, http2.ErrCodeProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			c := answered(t)
			must(t, tt.send(c))
			c.goesAway(tt.code)
		})
	}
}

// TestH2Bomb sends few octets that stand for many: one large field in the table, named again and again.
func TestH2Bomb(t *testing.T) {
	e := serve(t, notFound, withHits(newHits(t, 10)), func(c *listener.Config) { c.Limits.Header = 8 << 10 })
	c := e.h2()
	var table bytes.Buffer
	block := bytes.Clone(getBlock(t, hpack.NewEncoder(&table), &table, "/", [2]string{"x-large", strings.Repeat("~", 3900)}))
	block = append(block, bytes.Repeat([]byte{0x80 | 62}, 8000)...) // 31 MB
	must(t, c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndStream: true, EndHeaders: true}))
	if f, ok := next[*http2.HeadersFrame](c); ok {
		list, err := hpack.NewDecoder(4<<10, nil).DecodeFull(f.HeaderBlockFragment())
		must(t, err)
		if list[0].Value != "431" {
			t.Errorf("%v", list)
		}
	}
}

// TestH2HitsAndTime closes a connection on which nothing is asked for any more, and none on which something is being done.
func TestH2HitsAndTime(t *testing.T) {
	h := newHolder()
	e := serve(t, h, withHits(newHits(t, 10)), func(c *listener.Config) { c.Limits.IdleTimeout = 100 * time.Millisecond })
	busy := e.h2()
	var table bytes.Buffer
	must(t, busy.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: getBlock(t, hpack.NewEncoder(&table), &table, "/miss"), EndStream: true, EndHeaders: true,
	}))
	h.waitBegun(t)
	for _, asks := range []bool{false, true} {
		c := e.h2()
		must(t, c.WriteWindowUpdate(0, 1<<20))
		if asks {
			c.request(1)
			c.answers(1)
		}
		c.goesAway(http2.ErrCodeNo)
	}
	close(h.end)
	if d, ok := next[*http2.DataFrame](busy); !ok || string(d.Data()) != "done" {
		t.Errorf("the answer under way was cut off: %v", d)
	}
	busy.goesAway(http2.ErrCodeNo)
}

// TestH2HitsAndShutdown tells a client which of its streams were answered.
func TestH2HitsAndShutdown(t *testing.T) {
	e := serve(t, notFound, withHits(newHits(t, 10)))
	c := e.h2()
	must(t, c.WriteWindowUpdate(0, 1<<20))
	for i := range 5 {
		c.request(uint32(2*i + 1))
	}
	c.answers(5)
	down := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		down <- e.Shutdown(ctx)
	}()
	if f, ok := next[*http2.GoAwayFrame](c); !ok || f.ErrCode != http2.ErrCodeNo || f.LastStreamID < 9 {
		t.Errorf("%v", f)
	}
	must(t, wait(t, "Shutdown returns", down))
	e.ended()
}

// TestH2HitsToSlowReader holds a client that takes nothing to the limit.
func TestH2HitsToSlowReader(t *testing.T) {
	h := newHits(t, 128<<10)
	e := serve(t, notFound, withHits(h), func(c *listener.Config) { c.Limits.SendIdle = 200 * time.Millisecond })
	c := e.h2()
	must(t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
	must(t, c.WriteWindowUpdate(0, 1<<30))
	go func() {
		for i := range 1000 { // until it is closed
			if c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), EndStream: true, EndHeaders: true, BlockFragment: rootBlock()}) != nil {
				return
			}
		}
	}()
	whole := 1
	for h.wait(t, whole).Whole {
		whole++
	}
	if a := h.wait(t, whole); !a.Stalled {
		t.Errorf("%+v", a)
	}
}

// rootBlock is a GET for / without any table.
func rootBlock() []byte {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	enc.SetMaxDynamicTableSize(0)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", host}, {":path", "/"}} {
		_ = enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // into a buffer
	}
	return block.Bytes()
}

// TestH2StoredInTurn asks for large contents that share the connection's window: those of a urgency take turns, and none of a
// lower one is sent before.
func TestH2StoredInTurn(t *testing.T) {
	for name, tt := range map[string]struct {
		priorities [3]string
		none       uint32 // the stream that nothing is sent of
	}{
		"in turn":    {},
		"by urgency": {priorities: [3]string{"u=5", "u=1", "u=1, i"}, none: 1},
	} {
		t.Run(name, func(t *testing.T) {
			const size, window = 1_000_000, 600_000
			c := serve(t, notFound, withHits(newHits(t, size))).h2()
			must(t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10 * size}))
			var ask bytes.Buffer // in one write, so that none is alone
			fr := http2.NewFramer(&ask, nil)
			for i, priority := range tt.priorities {
				must(t, fr.WriteHeaders(http2.HeadersFrameParam{
					StreamID: uint32(2*i + 1), EndStream: true, EndHeaders: true, BlockFragment: blockOf([2]string{":path", "/"}, [2]string{"priority", priority}),
				}))
			}
			must(t, fr.WriteWindowUpdate(0, window-65_535))
			_, err := c.conn.Write(ask.Bytes())
			must(t, err)
			got := map[uint32]int{}
			for sum := 0; sum < window; {
				d, _ := next[*http2.DataFrame](c)
				got[d.StreamID] += len(d.Data())
				sum += len(d.Data())
			}
			for id := uint32(1); id <= 5; id += 2 {
				switch n := got[id]; {
				case id == tt.none && n > 0:
					t.Errorf("stream %d has got %d octets", id, n)
				case id != tt.none && n < window/4:
					t.Errorf("stream %d has got %d octets only", id, n)
				}
			}
			must(t, c.WriteWindowUpdate(0, 4*size))
			for sum := window; sum < 3*size; {
				d, _ := next[*http2.DataFrame](c)
				sum += len(d.Data())
			}
		})
	}
}

// TestH2StoredWithoutAWindow holds a client that gives no window to the limit: its stream ends, and its connection doesn't.
func TestH2StoredWithoutAWindow(t *testing.T) {
	h := newHits(t, 100_000)
	c := serve(t, notFound, withHits(h), func(c *listener.Config) { c.Limits.SendIdle = 100 * time.Millisecond }).h2()
	c.request(1)
	if f, ok := next[*http2.RSTStreamFrame](c); !ok || f.StreamID != 1 || f.ErrCode != http2.ErrCodeCancel {
		t.Errorf("%v", f)
	}
	if a := h.wait(t, 1); !a.Stalled || a.Whole || a.Sent != 65_535 {
		t.Errorf("%+v", a)
	}
	must(t, c.WriteWindowUpdate(0, 1<<20))
	must(t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
	c.request(3)
	if !c.answers(1)[3].isHit() {
		t.Error("the connection doesn't go on")
	}
}

// TestH2StoredIsReset ends large answers on their way.
func TestH2StoredIsReset(t *testing.T) {
	h := newHits(t, 1_000_000)
	e := serve(t, notFound, withHits(h))
	c := e.h2()
	c.request(1)
	for window := 65_535; window > 0; {
		d, _ := next[*http2.DataFrame](c)
		window -= len(d.Data())
	}
	must(t, c.WriteRSTStream(1, http2.ErrCodeCancel))
	if a := h.wait(t, 1); a.Whole || a.Stalled || a.Sent != 65_535 {
		t.Errorf("%+v", a)
	}
	must(t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
	c.request(3) // waits for the connection's window
	c.request(5)
	must(t, c.WritePing(false, [8]byte{1}))
	next[*http2.PingFrame](c)
	must(t, c.conn.Close())
	for i := range 2 {
		if a := h.wait(t, i+2); a.Whole || a.Sent != 0 {
			t.Errorf("%+v", a)
		}
	}
}
