package h2_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
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

// frames makes octets of a script: frames that may be legal, and octets as they are in between.
func frames(script []byte) (out []byte) {
	take := func(n int) []byte {
		n = min(n, len(script))
		taken := script[:n]
		script = script[n:]
		return taken
	}
	for len(script) > 0 {
		op := take(1)[0]
		if op >= 0x80 {
			out = append(out, take(int(op&0x7f))...)
			continue
		}
		head := append(take(3), 0, 0, 0)
		flags, id, payload := head[0], head[1]%16, take(int(head[2]))
		kind := http2.FrameType(op & 0x0f)
		if kind == http2.FrameHeaders && op&0x40 != 0 {
			method := "GET"
			if op&0x20 != 0 {
				method = "POST"
			}
			flags, payload = flags&0x5|0x4, block(method, "x", string(payload))
		}
		size := len(payload)
		out = append(out, byte(size>>16), byte(size>>8), byte(size), byte(kind), flags, 0, 0, 0, id)
		out = append(out, payload...)
	}
	return out
}

// FuzzFrames: whatever a client sends, the server sends frames that another implementation can read, and comes to an end when
// the client does.
func FuzzFrames(f *testing.F) {
	s := serve(f, echoSome)
	const get, post = "\x41\x05\x01\x00", "\x61\x04\x03\x00"
	for _, script := range []string{
		"",
		get,
		get + "\x41\x05\x03\x01a" + "\x41\x05\x05\x01b",
		post + "\x00\x01\x03\x05abcde",
		post + "\x00\x00\x03\x05abcde" + "\x00\x09\x03\x05\x02abcd",                    // padded
		post + "\x03\x00\x03\x04\x00\x00\x00\x08",                                      // RST_STREAM
		post + "\x08\x00\x03\x04\x7f\xff\xff\xff" + "\x08\x00\x00\x04\x00\x00\x00\x00", // windows
		get + "\x04\x00\x00\x06\x00\x04\x00\x00\x00\x00" + "\x04\x01\x00\x00",          // SETTINGS, and an acknowledgement
		get + "\x06\x00\x00\x08pingpong" + "\x06\x01\x00\x08pingpong",
		get + "\x02\x00\x03\x05\x00\x00\x00\x03\x10" + "\x10\x00\x00\x08\x00\x00\x00\x01u=1,i",
		"\x01\x01\x01\x02\x82\x84" + "\x09\x04\x01\x02\x87\x41", // CONTINUATION
		"\x01\x00\x01\x02\x82\x84" + get,
		get + "\x07\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00" + post, // GOAWAY
		"\x05\x04\x01\x04\x00\x00\x00\x02" + get,                        // PUSH_PROMISE
		"\x89\x00\x00\x00\x00\x00\x00\x00\x00\x01",
		post + "\x61\x05\x03\x00",
		"\x41\x05\x00\x00" + "\x41\x05\x02\x00" + get,
	} {
		f.Add([]byte(script))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		c, err := tls.Dial("tcp", s.addr, s.tls())
		must(t, err)
		defer c.Close()
		must(t, c.SetDeadline(time.Now().Add(patience)))
		<-s.conns
		sent := make(chan error, 1)
		go func() {
			_, err := c.Write(append([]byte(http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"), frames(script)...))
			_ = c.CloseWrite()
			sent <- err // it may have been cut off
		}()
		in := http2.NewFramer(io.Discard, c)
		in.ReadMetaHeaders = hpack.NewDecoder(4<<10, nil)
		for {
			_, err = in.ReadFrame()
			if err != nil {
				break
			}
		}
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			t.Errorf("%q: it doesn't end", script)
		} else if _, ok := errors.AsType[*net.OpError](err); !ok && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: it sends what is none: %v", script, err)
		}
		<-sent
	})
}
