package hitpath

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

func silentH2() *H2Conn {
	s := &Server{Finder: noHits{}, Block: 64 << 10, Header: 16 << 10, IdleTimeout: time.Hour, SendIdle: time.Hour}
	c := s.NewH2Conn(tls.Server(silent{}, &tls.Config{}), unheld{})
	c.begin()
	return c
}

// through passes octets as they come, in pieces of that size, and returns what the server gets.
func through(octets []byte, piece int) []byte {
	c := silentH2()
	b := c.server.batch()
	for len(octets) > 0 {
		n := min(piece, len(octets))
		c.in = append(c.in, octets[:n]...)
		octets = octets[n:]
		if c.frames(b) != nil {
			break
		}
	}
	return c.on
}

// said is what frames say, up to the first error.
func said(octets []byte) (list []string, err error) {
	octets, ok := bytes.CutPrefix(octets, []byte(http2.ClientPreface))
	if !ok {
		return nil, io.ErrUnexpectedEOF
	}
	fr := http2.NewFramer(io.Discard, bytes.NewReader(octets))
	fr.ReadMetaHeaders = hpack.NewDecoder(tableSize, nil)
	for {
		f, err := fr.ReadFrame()
		var stream http2.StreamError
		switch {
		case errors.As(err, &stream):
			list = append(list, fmt.Sprint("bad ", stream.StreamID, stream.Code))
			continue
		case err != nil:
			return list, err
		}
		h := f.Header()
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			what := "fields "
			if f.StreamEnded() && hasConnectionField(f.Fields) {
				what = "refused "
			}
			list = append(list, fmt.Sprint(what, h.StreamID, f.StreamEnded(), f.Priority, f.Fields))
		case *http2.DataFrame:
			list = append(list, fmt.Sprintf("data %d %t %q", h.StreamID, f.StreamEnded(), f.Data()))
		case *http2.WindowUpdateFrame:
			if h.StreamID != 0 { // that of the connection is shared
				list = append(list, fmt.Sprint("window ", h.StreamID, f.Increment))
			}
		case *http2.SettingsFrame:
			list = append(list, saidBySettings(f))
		default:
			list = append(list, fmt.Sprint(h.Type, h.StreamID, h.Length))
		}
	}
}

// saidBySettings leaves out what is set again later, of what may be.
func saidBySettings(f *http2.SettingsFrame) string {
	var list []http2.Setting
	_ = f.ForeachSetting(func(one http2.Setting) error {
		list = slices.DeleteFunc(list, func(earlier http2.Setting) bool {
			harmless := one.ID == http2.SettingMaxConcurrentStreams || one.ID == http2.SettingMaxHeaderListSize ||
				one.ID == http2.SettingInitialWindowSize && earlier.Val <= 1<<31-1
			return f.NumSettings() <= maxSettings && one.ID == earlier.ID && harmless
		})
		list = append(list, one)
		return nil
	})
	return fmt.Sprint("settings", list)
}

// refused tells whether a stream is among frames that gets a reset instead of an answer.
func refused(list []string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.HasPrefix(s, "refused") })
}

// FuzzH2 compares what a server reads from the client with what it reads behind the loop when that answers nothing: the same
// frames, and the same fields.
func FuzzH2(f *testing.F) {
	var seed bytes.Buffer
	seed.WriteString(http2.ClientPreface)
	fr := http2.NewFramer(&seed, nil)
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	request := func(id uint32, cut int, fields ...string) {
		block.Reset()
		for i := 0; i < len(fields); i += 2 {
			_ = enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1], Sensitive: fields[i] == "authorization"})
		}
		whole := block.Bytes()
		cut = min(cut, len(whole))
		_ = fr.WriteHeaders(http2.HeadersFrameParam{
			StreamID: id, BlockFragment: whole[:cut], EndHeaders: cut == len(whole), PadLength: uint8(cut % 7),
			Priority: http2.PriorityParam{StreamDep: id % 3, Weight: uint8(cut)},
		})
		if cut < len(whole) {
			_ = fr.WriteContinuation(id, true, whole[cut:])
		}
	}
	_ = fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100_000})
	_ = fr.WriteWindowUpdate(0, 1<<20)
	request(1, 100, ":method", "GET", ":scheme", "https", ":authority", "example.com", ":path", "/", "x-a", "1", "authorization", "secret")
	request(3, 5, ":method", "POST", ":scheme", "https", ":authority", "example.com", ":path", "/b", "x-a", "1", "cookie", "a", "cookie", "b")
	_ = fr.WriteData(3, false, []byte("content"))
	_ = fr.WriteWindowUpdate(3, 10)
	_ = fr.WritePing(false, [8]byte{1})
	request(3, 100, "x-trailer", "t")
	_ = fr.WriteRSTStream(3, http2.ErrCodeCancel)
	_ = fr.WritePriority(5, http2.PriorityParam{StreamDep: 1})
	_ = fr.WriteRawFrame(0x77, 1, 5, []byte("unknown"))
	_ = fr.WriteGoAway(0, http2.ErrCodeNo, nil)
	f.Add(seed.Bytes(), 1)
	f.Add(seed.Bytes(), 1000)
	f.Add([]byte(http2.ClientPreface+"\x00\x00\x01\x01\x04\x00\x00\x00\x01\x80"), 7)
	f.Fuzz(func(t *testing.T, octets []byte, piece int) {
		want, _ := said(octets)
		if refused(want) {
			return // and what comes on such a stream later doesn't reach the server either
		}
		got, err := said(through(octets, max(piece, 1)))
		if len(got) > len(want) && !errors.Is(err, io.EOF) {
			got = got[:len(want)]
		}
		for i := range got {
			if i >= len(want) || got[i] != want[i] {
				t.Fatalf("frame %d: the server gets %q of %q", i, got, want)
			}
		}
	})
}

// A connection that nothing is wrong with is passed on to its end.
func TestH2PassesAllOn(t *testing.T) {
	var octets bytes.Buffer
	octets.WriteString(http2.ClientPreface)
	fr := http2.NewFramer(&octets, nil)
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	_ = fr.WriteSettings()
	for i := range 50 {
		block.Reset()
		for _, f := range [][2]string{{":method", "PUT"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}, {"x", strings.Repeat("y", 500*i)}} {
			_ = enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		id := uint32(2*i + 1)
		first := block.Next(16 << 10)
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndHeaders: block.Len() == 0})
		if block.Len() > 0 {
			_ = fr.WriteContinuation(id, true, block.Bytes())
		}
		_ = fr.WriteData(id, true, make([]byte, 300*i))
	}
	want, _ := said(octets.Bytes())
	for _, piece := range []int{1, 10, 4096, 1 << 20} {
		got, err := said(through(octets.Bytes(), piece))
		if !errors.Is(err, io.EOF) || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("in pieces of %d: %v\n%.300q\nwant\n%.300q", piece, err, got, want)
		}
	}
}

// What the server writes comes out as it is, in whatever pieces, but for the highest stream in GOAWAY.
func TestH2Outgoing(t *testing.T) {
	var octets bytes.Buffer
	fr := http2.NewFramer(&octets, nil)
	_ = fr.WriteSettings()
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x88}})
	_ = fr.WriteContinuation(1, true, []byte{0x88})
	_ = fr.WriteData(1, true, []byte("content"))
	before := octets.Len()
	_ = fr.WriteGoAway(3, http2.ErrCodeNo, []byte("debug"))
	all := octets.Bytes()
	for _, piece := range []int{1, 2, 9, 12, 13, 100} {
		got := written(t, all, piece)
		want := bytes.Clone(all)
		want[before+frameHead+3] = 77
		if !bytes.Equal(got, want) {
			t.Errorf("in pieces of %d: %x, want %x", piece, got, want)
		}
	}
}

// written is what the client gets when the server writes octets in pieces.
func written(t *testing.T, octets []byte, piece int) []byte {
	client, server := net.Pipe()
	ts := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	ts.Close()
	s := tls.Server(server, &tls.Config{Certificates: ts.TLS.Certificates})
	read := make(chan []byte)
	go func() {
		c := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
		all, _ := io.ReadAll(c)
		read <- all
	}()
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	c := (&Server{Finder: noHits{}, Block: 1 << 10, IdleTimeout: time.Hour, SendIdle: time.Hour}).NewH2Conn(s, unheld{})
	c.last.Store(77)
	for len(octets) > 0 {
		n := min(piece, len(octets))
		if m, err := c.Write(octets[:n]); m != n || err != nil {
			t.Fatal(m, err)
		}
		octets = octets[n:]
		if len(octets) > 0 && c.held.Load() != (c.out.left > 0 || c.out.block) {
			t.Errorf("held %t amid %+v", c.held.Load(), c.out)
		}
	}
	_ = c.Close()
	return <-read
}

// A setting that is set again in the same frame is passed on once, unless what it was meanwhile matters.
func TestH2Latest(t *testing.T) {
	window := func(n uint32) http2.Setting { return http2.Setting{ID: http2.SettingInitialWindowSize, Val: n} }
	table := func(n uint32) http2.Setting { return http2.Setting{ID: http2.SettingHeaderTableSize, Val: n} }
	frame := func(list ...http2.Setting) []byte {
		var octets bytes.Buffer
		_ = http2.NewFramer(&octets, nil).WriteSettings(list...)
		return octets.Bytes()
	}
	for _, tt := range []struct{ in, want []http2.Setting }{
		{},
		{[]http2.Setting{window(1)}, []http2.Setting{window(1)}},
		{[]http2.Setting{window(1), table(2), window(3)}, []http2.Setting{table(2), window(3)}},
		{[]http2.Setting{window(1 << 31), window(3)}, []http2.Setting{window(1 << 31), window(3)}},
		{[]http2.Setting{table(0), table(4096)}, []http2.Setting{table(0), table(4096)}},
		{slices.Repeat([]http2.Setting{window(1)}, 101), slices.Repeat([]http2.Setting{window(1)}, 101)},
	} {
		if got := latest(frame(tt.in...)); !bytes.Equal(got, frame(tt.want...)) {
			t.Errorf("%v: %x, want %x", tt.in, got, frame(tt.want...))
		}
	}
}
