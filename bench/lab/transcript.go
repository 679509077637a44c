package lab

import (
	"bytes"
	"sync"
)

// shown is how much of a transcript a failed test shows.
const shown = 16 << 10

// transcript keeps what a process prints, and tells those who wait for a word in it. The zero value is ready.
type transcript struct {
	mu      sync.Mutex // guards the following fields
	text    bytes.Buffer
	changed chan struct{} // closed by the next Write; nil while nobody waits
}

// Write appends p.
func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
	return t.text.Write(p)
}

// contains says whether word was printed, and with what one waits for more.
func (t *transcript) contains(word string) (bool, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return bytes.Contains(t.text.Bytes(), []byte(word)), t.changed
}

// String is all of it.
func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// tail is the end of it.
func (t *transcript) tail() string {
	s := t.String()
	if len(s) > shown {
		return "…" + s[len(s)-shown:]
	}
	return s
}
