package listener_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/net/http2"

	"github.com/anyedge/anyedge/proxy/listener"
)

// The types of what TLS 1.3 records carry, RFC 8446, section 5.1, and of a message, section 4.
const (
	typeAlert       = 21
	typeHandshake   = 22
	typeApplication = 23
	typeKeyUpdate   = 24
)

// bareTLS is a client of TLS 1.3 whose handshake crypto/tls has made. Unlike that it can ask for new keys.
type bareTLS struct {
	net.Conn
	t       *testing.T
	in, out keys
	ahead   []byte // that was read and not returned
	updates int    // that the server has sent
}

// dialBare connects to the edge, and speaks protocol.
func (e *edge) dialBare(protocol string) *bareTLS {
	e.t.Helper()
	tcp, err := net.Dial("tcp", e.https())
	must(e.t, err)
	e.t.Cleanup(func() { _ = tcp.Close() })
	must(e.t, tcp.SetDeadline(time.Now().Add(patience)))
	var secrets bytes.Buffer
	config := e.clientTLS(protocol)
	config.KeyLogWriter, config.MinVersion = &secrets, tls.VersionTLS13
	c := tls.Client(tcp, config)
	must(e.t, c.Handshake()) // which reads no octet behind the server's Finished: there are none before the client's
	b := &bareTLS{Conn: tcp, t: e.t}
	for line := range strings.Lines(secrets.String()) {
		label, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, text, _ := strings.Cut(rest, " ")
		secret, err := hex.DecodeString(text)
		must(e.t, err)
		switch label {
		case "CLIENT_TRAFFIC_SECRET_0":
			b.out = newKeys(c.ConnectionState().CipherSuite, secret)
		case "SERVER_TRAFFIC_SECRET_0":
			b.in = newKeys(c.ConnectionState().CipherSuite, secret)
		}
	}
	return b
}

// keys are those of one direction, RFC 8446, section 7.3.
type keys struct {
	suite  uint16
	hash   func() hash.Hash
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	count  uint64 // of records
}

func newKeys(suite uint16, secret []byte) keys {
	k := keys{suite: suite, hash: sha256.New, secret: secret}
	size := 16
	switch suite {
	case tls.TLS_AES_256_GCM_SHA384:
		k.hash, size = sha512.New384, 32
	case tls.TLS_CHACHA20_POLY1305_SHA256:
		size = chacha20poly1305.KeySize
	}
	key := k.expand("key", size)
	k.iv = k.expand("iv", 12)
	if suite == tls.TLS_CHACHA20_POLY1305_SHA256 {
		k.aead, _ = chacha20poly1305.New(key) // the size is right
		return k
	}
	block, _ := aes.NewCipher(key) // the size is right
	k.aead, _ = cipher.NewGCM(block)
	return k
}

// expand is HKDF-Expand-Label with an empty context, RFC 8446, section 7.1.
func (k *keys) expand(label string, size int) []byte {
	label = "tls13 " + label
	info := append([]byte{byte(size >> 8), byte(size), byte(len(label))}, label...)
	key, _ := hkdf.Expand(k.hash, k.secret, string(append(info, 0)), size) // the size is right
	return key
}

// next are the keys behind a KeyUpdate, RFC 8446, section 7.2.
func (k *keys) next() keys { return newKeys(k.suite, k.expand("traffic upd", k.hash().Size())) }

// nonce is that of the next record.
func (k *keys) nonce() []byte {
	nonce := append([]byte(nil), k.iv...)
	low := nonce[len(nonce)-8:]
	binary.BigEndian.PutUint64(low, binary.BigEndian.Uint64(low)^k.count)
	k.count++
	return nonce
}

// record is a record with p.
func (k *keys) record(kind byte, p []byte) []byte {
	inner := append(append([]byte(nil), p...), kind)
	head := []byte{typeApplication, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(head[3:], uint16(len(inner)+k.aead.Overhead()))
	return k.aead.Seal(head, k.nonce(), inner, head)
}

// Write writes p in one record.
func (b *bareTLS) Write(p []byte) (int, error) {
	_, err := b.Conn.Write(b.out.record(typeApplication, p))
	return len(p), err
}

// update is the record of a KeyUpdate that asks for the server's; what is written from now on has new keys.
func (b *bareTLS) update() []byte {
	r := b.out.record(typeHandshake, []byte{typeKeyUpdate, 0, 0, 1, 1})
	b.out = b.out.next()
	return r
}

// Read returns what the server's application says.
func (b *bareTLS) Read(p []byte) (int, error) {
	for len(b.ahead) == 0 {
		if err := b.readRecord(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.ahead)
	b.ahead = b.ahead[n:]
	return n, nil
}

func (b *bareTLS) readRecord() error {
	head := make([]byte, 5)
	if _, err := io.ReadFull(b.Conn, head); err != nil {
		return err
	}
	sealed := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(b.Conn, sealed); err != nil {
		return err
	}
	inner, err := b.in.aead.Open(nil, b.in.nonce(), sealed, head)
	if err != nil {
		return err
	}
	inner = bytes.TrimRight(inner, "\x00") // padding
	switch kind, content := inner[len(inner)-1], inner[:len(inner)-1]; {
	case kind == typeApplication:
		b.ahead = content
	case kind == typeAlert:
		return fmt.Errorf("alert %x", content)
	case kind == typeHandshake && content[0] == typeKeyUpdate:
		b.updates++
		b.in = b.in.next()
	}
	return nil
}

// pauses waits until a deadline that is set with an answer has passed.
func pauses() { time.Sleep(2 * shortSend) }

const shortSend = 50 * time.Millisecond

func withShortSend(c *listener.Config) { c.Limits.SendIdle = shortSend }

// TestKeyUpdateOfIdleH1: a client that asks for new keys, after it was idle for longer than it may take for an answer, is
// answered all the same.
func TestKeyUpdateOfIdleH1(t *testing.T) {
	e := serve(t, notFound, withHits(newHits(t, 10)), withShortSend)
	c := e.dialBare("http/1.1")
	for i := range 3 {
		if resp, n := ask(t, c); resp.StatusCode != 200 || n != 10 {
			t.Fatalf("status %d, %d octets", resp.StatusCode, n)
		}
		if c.updates != i {
			t.Fatalf("%d KeyUpdates, want %d", c.updates, i)
		}
		pauses()
		_, err := c.Conn.Write(c.update())
		must(t, err)
	}
}

// TestKeyUpdateOfWaitingH1: so it is while an answer takes its time, be it hitpath's or net/http's connection.
func TestKeyUpdateOfWaitingH1(t *testing.T) {
	for name, request := range map[string]string{
		"hitpath":  askRoot,
		"net/http": "POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 1\r\n\r\nx",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHolder()
			c := serve(t, h, withShortSend).dialBare("http/1.1")
			for range 2 {
				_, err := io.WriteString(c, request)
				must(t, err)
				h.waitBegun(t)
				pauses()
				_, err = c.Conn.Write(c.update())
				must(t, err)
				h.end <- struct{}{}
				answer := make([]byte, 1<<10)
				n, err := c.Read(answer)
				must(t, err)
				if !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200 OK") {
					t.Fatalf("%q", answer[:n])
				}
			}
			if c.updates == 0 {
				t.Error("no KeyUpdate came")
			}
		})
	}
}

// TestKeyUpdateOfIdleH2 is TestKeyUpdateOfIdleH1 over H2.
func TestKeyUpdateOfIdleH2(t *testing.T) {
	c := serve(t, notFound, withShortSend).dialBare("h2")
	_, err := io.WriteString(c, http2.ClientPreface)
	must(t, err)
	f := http2.NewFramer(c, c)
	must(t, f.WriteSettings())
	for i := range 3 {
		data := [8]byte{byte(i)}
		must(t, f.WritePing(false, data))
		for answered := false; !answered; {
			frame, err := f.ReadFrame()
			must(t, err)
			ping, ok := frame.(*http2.PingFrame)
			answered = ok && ping.IsAck() && ping.Data == data
		}
		if c.updates != i {
			t.Fatalf("%d KeyUpdates, want %d", c.updates, i)
		}
		pauses()
		_, err := c.Conn.Write(c.update())
		must(t, err)
	}
}
