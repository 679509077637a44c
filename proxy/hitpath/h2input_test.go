package hitpath

import (
	"bytes"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// TestEachOctetByItself sends each octet in a TLS record of its own. The server gets all that it gets otherwise, as soon as
// the last has come, and the connection holds nothing then.
func TestEachOctetByItself(t *testing.T) {
	var octets bytes.Buffer
	octets.WriteString(http2.ClientPreface)
	fr := http2.NewFramer(&octets, nil)
	for _, err := range []error{
		fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 7}),
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x83, 0x87, 0x84}, EndHeaders: true}), // POST https /
		fr.WriteData(1, false, []byte("first")),
		fr.WritePing(false, [8]byte{1}),
		fr.WriteData(1, false, []byte("second")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := through(octets.Bytes(), octets.Len())

	client, server := tlsPair(t)
	s := &Server{Finder: noHits{}, Block: 64 << 10, Header: 16 << 10, IdleTimeout: time.Hour, SendIdle: time.Hour}
	c := s.NewH2Conn(server, unheld{})
	c.begin()
	sent := make(chan error, 1)
	go func() {
		for _, b := range octets.Bytes() {
			if _, err := client.Write([]byte{b}); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	got, p := []byte(nil), make([]byte, 16)
	for len(got) < len(want) {
		n, err := c.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p[:n]...)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	if c.in != nil || c.room != nil || c.on != nil {
		t.Errorf("it holds %d, %d octets", cap(c.in), cap(c.on))
	}
}
