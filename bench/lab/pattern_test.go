package lab

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestPattern(t *testing.T) {
	const size = 10_000
	whole := Content(size)
	if len(whole) != size {
		t.Fatalf("%d octets, want %d", len(whole), size)
	}
	part := make([]byte, 100)
	if n, err := pattern(size).ReadAt(part, 9_950); n != 50 || err != nil || !bytes.Equal(part[:n], whole[9_950:]) {
		t.Errorf("the end: %d octets, %v", n, err)
	}
	if _, err := pattern(size).ReadAt(part, size); !errors.Is(err, io.EOF) {
		t.Errorf("beyond the end: %v", err)
	}
	if bytes.Equal(whole[:5_000], whole[5_000:]) || bytes.Equal(whole[:100], Content(100)) {
		t.Error("pieces can't be told apart")
	}
}

func TestTranscript(t *testing.T) {
	var log transcript
	has, changed := log.contains("ready")
	if has {
		t.Error("an empty transcript has a word")
	}
	_, _ = log.Write([]byte("rea"))
	_, _ = log.Write([]byte("dy\n"))
	select {
	case <-changed:
	default:
		t.Error("who waits isn't told")
	}
	if has, _ := log.contains("ready"); !has {
		t.Error("a word that came in two pieces isn't found")
	}
	_, _ = log.Write(make([]byte, 2*shown))
	if n := len(log.tail()); n != shown+len("…") {
		t.Errorf("the tail has %d octets", n)
	}
}
