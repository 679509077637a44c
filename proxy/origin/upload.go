package origin

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

var (
	errSpent = errors.New("the request's content was read and can't be sent again")
	errOver  = errors.New("this try is over")
)

// keptContent is how much of a content is kept for another try while there is no answer, in octets. net/http has read 4 KiB at
// most when it finds that a connection is dead and nothing was sent. The contents of most requests are shorter.
const keptContent = 16 << 10

// upload is a request's content over its tries, ours and those that net/http makes by itself. Only the newest try may
// read: an earlier one that is slow to notice its end must not take octets from it.
type upload struct {
	again func() (io.ReadCloser, error) // the request's GetBody; nil: the beginning is kept

	reading sync.Mutex // held by who reads body, where the beginning is kept

	mu      sync.Mutex // guards the following fields
	body    io.ReadCloser
	current *attempt
	kept    []byte // what was read of body
	offset  int64  // how much that was
	lost    bool   // it isn't kept: it was too much, or nobody needs it
	settled bool   // there is no other try
}

// newUpload returns nil for a request without content.
func newUpload(r *http.Request) *upload {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	return &upload{again: r.GetBody, body: r.Body}
}

// next ends the try before and returns the content for another, from its first octet.
func (u *upload) next() (io.ReadCloser, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.current != nil && u.current.finish() {
		if !u.returns() {
			return nil, errSpent
		}
		if u.again != nil {
			body, err := u.again()
			if err != nil {
				return nil, err
			}
			u.body = body
		}
	}
	u.current = &attempt{content: u, body: u.body}
	return u.current, nil
}

// returns tells whether a content that was read can be had from its first octet. u.mu is held.
func (u *upload) returns() bool { return u.again != nil || !u.lost }

// settle says that there is no other try: what is kept for it needn't be.
func (u *upload) settle() {
	if u == nil {
		return
	}
	u.mu.Lock()
	u.settled = true
	current := u.current
	if current == nil || current.at == u.offset {
		u.lost, u.kept = true, nil
	}
	u.mu.Unlock()
	if current != nil {
		current.settle()
	}
}

// read reads on for a, from what is kept or from the content itself.
func (u *upload) read(a *attempt, b []byte) (int, error) {
	if u.again != nil {
		return a.body.Read(b)
	}
	u.reading.Lock() // waits for what an earlier try still reads, which is kept, too
	defer u.reading.Unlock()
	if n, err := u.replay(a, b); n > 0 || err != nil {
		return n, err
	}
	n, err := a.body.Read(b)
	u.keep(a, b[:n], err)
	return n, err
}

// replay returns what a hasn't read of what is kept.
func (u *upload) replay(a *attempt, b []byte) (n int, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.current != a:
		return 0, errOver
	case a.at == u.offset:
		return 0, nil
	case u.lost:
		return 0, errSpent
	}
	n = copy(b, u.kept[a.at:])
	a.at += int64(n)
	return n, nil
}

// keep keeps p, which a has read, unless the content failed.
func (u *upload) keep(a *attempt, p []byte, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.offset += int64(len(p))
	a.at = u.offset
	if u.settled || u.offset > keptContent || err != nil && err != io.EOF { //nolint:errorlint // io.Reader returns io.EOF itself
		u.lost = true
	}
	if u.lost {
		u.kept = nil
		return
	}
	u.kept = append(u.kept, p...)
}

// repeatable ends the try and says whether there can be another.
func (u *upload) repeatable() bool {
	if u == nil {
		return true
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.current == nil || !u.current.finish() || u.returns()
}

// failure is why the client's content couldn't be read, or nil.
func (u *upload) failure() error {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	current := u.current
	u.mu.Unlock()
	if current == nil {
		return nil
	}
	current.mu.Lock()
	defer current.mu.Unlock()
	return current.err
}

// attempt is the content as one try reads it.
type attempt struct {
	content *upload
	body    io.ReadCloser
	at      int64 // how much of the content was read; content.mu guards it

	mu                          sync.Mutex // guards the following fields; not held while reading
	read, closed, over, settled bool
	err                         error // of the content itself, not of its having been closed
}

// Read reads on.
func (a *attempt) Read(b []byte) (int, error) {
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return 0, errOver
	}
	a.read = true
	a.mu.Unlock()
	n, err := a.content.read(a, b)
	if err != nil && !errors.Is(err, io.EOF) {
		a.note(err)
	}
	return n, err
}

func (a *attempt) note(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed && !a.over {
		a.err = err
	}
}

// Close closes a content that was read, once no other try can need it. One that wasn't is left to the next try, and in the end
// to its owner.
func (a *attempt) Close() error {
	a.mu.Lock()
	a.closed = true
	closes := a.read && (a.settled || a.content.again != nil)
	a.mu.Unlock()
	if !closes {
		return nil
	}
	return a.body.Close()
}

// settle says that there is no other try.
func (a *attempt) settle() {
	a.mu.Lock()
	a.settled = true
	closes := a.read && a.closed && a.content.again == nil
	a.mu.Unlock()
	if closes {
		_ = a.body.Close()
	}
}

// finish keeps the try from reading any more, and says whether it has.
func (a *attempt) finish() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	return a.read
}
