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

// upload is a request's content over its tries, ours and those that net/http makes by itself. Only the newest try may
// read: an earlier one that is slow to notice its end must not take octets from it.
type upload struct {
	again func() (io.ReadCloser, error) // the request's GetBody, if any

	mu      sync.Mutex // guards the following fields
	body    io.ReadCloser
	current *attempt
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
		if u.again == nil {
			return nil, errSpent
		}
		body, err := u.again()
		if err != nil {
			return nil, err
		}
		u.body = body
	}
	u.current = &attempt{body: u.body}
	return u.current, nil
}

// repeatable ends the try and says whether there can be another.
func (u *upload) repeatable() bool {
	if u == nil {
		return true
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.current == nil || !u.current.finish() || u.again != nil
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
	body io.ReadCloser

	mu                 sync.Mutex // guards the following fields; not held while reading
	read, closed, over bool
	err                error // of the content itself, not of its having been closed
}

// Read reads, after which no other try can, but with the request's GetBody.
func (a *attempt) Read(b []byte) (int, error) {
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return 0, errOver
	}
	a.read = true
	a.mu.Unlock()
	n, err := a.body.Read(b)
	if err != nil && err != io.EOF {
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

// Close closes a content that was read. One that wasn't is left to the next try, and in the end to its owner.
func (a *attempt) Close() error {
	a.mu.Lock()
	a.closed = true
	read := a.read
	a.mu.Unlock()
	if !read {
		return nil
	}
	return a.body.Close()
}

// finish keeps the try from reading any more, and says whether it has.
func (a *attempt) finish() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	return a.read
}
