package h3_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// echoSome answers with what it is sent, in parts, and trailers.
func echoSome(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "X-End")
	part := make([]byte, 100)
	for {
		n, err := r.Body.Read(part)
		_, _ = w.Write(part[:n])
		if err != nil {
			break
		}
	}
	w.Header().Set("X-End", "1")
}

// fuzzed is a client that does what a script says: octets that tell what to do, each with those that it takes.
//
//	0x00 to 0x3f  open a unidirectional stream: its type, in the lowest bits; the octets; bit 2: it ends, bit 3: begun as it should
//	0x40 to 0x7f  open a request: bit 0: begun with GET, bit 1: with POST; bit 2: the octets are DATA; bit 3: it ends
//	0x80 to 0xff  more of the last request: as before
type fuzzed struct {
	conn     *quic.Conn
	script   []byte
	requests []*quic.Stream
	ended    map[*quic.Stream]bool
}

// take takes a part of the script whose length is its first octet.
func (f *fuzzed) take() []byte {
	if len(f.script) == 0 {
		return nil
	}
	n := min(int(f.script[0]), len(f.script)-1)
	taken := f.script[1 : 1+n]
	f.script = f.script[1+n:]
	return taken
}

// run does all of it. What fails fails since the server has ended it.
func (f *fuzzed) run() {
	for len(f.script) > 0 && len(f.requests) < 8 {
		op := f.script[0]
		f.script = f.script[1:]
		if content := f.take(); op < 0x40 {
			f.say(op, content)
		} else {
			f.ask(op, content)
		}
	}
	for _, s := range f.requests {
		if !f.ended[s] {
			s.CancelWrite(0x10c)
		}
	}
}

func (f *fuzzed) say(op byte, content []byte) {
	s, err := f.conn.OpenUniStream()
	if err != nil {
		return
	}
	begun := []byte{op & 3}
	if op&8 != 0 {
		begun = []byte(control + settings)
	}
	_, _ = s.Write(append(begun, content...))
	if op&4 != 0 {
		_ = s.Close()
	}
}

func (f *fuzzed) ask(op byte, content []byte) {
	if op < 0x80 || len(f.requests) == 0 {
		s, err := f.conn.OpenStream()
		if err != nil {
			return
		}
		f.requests = append(f.requests, s)
	}
	s := f.requests[len(f.requests)-1]
	var b []byte
	switch {
	case op&1 != 0:
		b = []byte(get())
	case op&2 != 0:
		b = []byte(headers([2]string{":method", "POST"}, [2]string{":scheme", "https"}, [2]string{":authority", "example.com"}, [2]string{":path", "/"}))
	}
	if op&4 != 0 {
		content = []byte(frame(0, string(content)))
	}
	_, _ = s.Write(append(b, content...))
	if op&8 != 0 {
		f.ended[s] = true
		_ = s.Close()
	}
}

// readAnswer reads a stream to its end, with another implementation. An answer that was broken off is none.
func readAnswer(s *quic.Stream) (broken bool, err error) {
	r := bufio.NewReader(s)
	sections, final := 0, false
	for {
		kind, err := quicvarint.Read(r)
		if errors.Is(err, io.EOF) && final {
			return false, nil
		}
		if err != nil {
			return isBroken(err), err
		}
		length, err := quicvarint.Read(r)
		if err != nil {
			return isBroken(err), err
		}
		payload := make([]byte, length)
		if _, err := io.ReadFull(r, payload); err != nil {
			return isBroken(err), err
		}
		switch {
		case kind == 0 && final && sections == 1:
		case kind == 1 && sections < 2:
			status, err := readSection(payload, final)
			if err != nil {
				return false, err
			}
			if final = true; status < "200" && sections == 0 {
				final = false
				continue
			}
			sections++
		default:
			return false, fmt.Errorf("a frame of type %#x behind %d sections", kind, sections)
		}
	}
}

// readSection returns a section's status, which trailers have none of.
func readSection(b []byte, trailers bool) (status string, err error) {
	next := qpack.NewDecoder().Decode(b)
	for {
		switch f, err := next(); {
		case errors.Is(err, io.EOF) && (status == "") == trailers:
			return status, nil
		case err != nil:
			return "", fmt.Errorf("a section whose status is %q: %w", status, err)
		case f.Name == ":status":
			status = f.Value
		}
	}
}

// isBroken tells whether a stream ended with a reset, or its connection.
func isBroken(err error) bool {
	return errors.As(err, new(*quic.StreamError)) || errors.As(err, new(*quic.ApplicationError))
}

// FuzzClient: whatever a client sends, on streams of both kinds, the server answers with what another implementation can read,
// or says that it doesn't, and comes to an end with every request.
func FuzzClient(f *testing.F) {
	var l ledger
	s := serve(f, echoSome, l.keep)
	for _, script := range []string{
		"",
		"\x49\x00",                           // GET, and the end
		"\x4e\x05abcde" + "\x4e\x00",         // POST with DATA, twice
		"\x46\x05abcde" + "\x8c\x03fgh",      // in two parts
		"\x46\x05abcde",                      // without an end
		"\x4a\x06\x00\x03abc\x21" + "\x48\n", // a frame that isn't whole
		"\x4a\x07\x21\x02ab\x00\x01c" + "\x49\x00",
		"\x4a\x08\x00\x01a\x01\x05\x00\x00\x21a" + "\x49\x00", // trailers
		"\x41\x02\x01\x00" + "\x88\x00",
		"\x48\x06\x01\x04\x00\x00\xd1\xc1",
		"\x48\x02\x41\xff",
		"\x4b\x06\xbf\xff\xff\xff\x00\x00",
		"\x08\x00" + "\x02\x01\x20" + "\x03\x02\x44\x7f" + "\x49\x00", // SETTINGS, and QPACK's streams
		"\x08\x09\x80\x0f\x07\x00\x04\x00u=1" + "\x46\x05abcde",       // PRIORITY_UPDATE
		"\x08\x03\x07\x01\x00" + "\x0d\x00" + "\x0c\x00",
		"\x00\x06\x04\x04\x06\x01\x08\x01" + "\x49\x00",
		"\x00\x04\x04\x02\x02\x01",
		"\x01\x01\x00" + "\x06\x01\x20" + "\x49\x00",
		"\x49\x00\x49\x00\x49\x00\x49\x00\x49\x00\x49\x00\x49\x00\x49\x00",
	} {
		f.Add([]byte(script))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		conn, err := quic.DialAddr(t.Context(), s.addr, s.tls(), nil)
		must(t, err)
		<-s.conns
		c := &fuzzed{conn: conn, script: bytes.Clone(script), ended: map[*quic.Stream]bool{}}
		c.run()
		var reading sync.WaitGroup
		for i, st := range c.requests {
			reading.Go(func() {
				_ = st.SetReadDeadline(time.Now().Add(patience))
				if broken, err := readAnswer(st); err != nil && !broken {
					t.Errorf("%q: request %d: %v", script, i, err)
				}
			})
		}
		reading.Wait()
		_ = conn.CloseWithError(0x100, "")
		l.settled(t)
	})
}
