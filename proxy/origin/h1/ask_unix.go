//go:build unix

package h1

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// asking writes a request and waits for its answer, in one go with the kernel's word on what it has to read: net's own Write
// and Read would first look for an answer that can't be there yet, and wait then.
type asking struct {
	step   func(fd uintptr) bool // of asking, made once
	look   func(fd uintptr)      // of asking, made once
	stage  askStage
	silent bool // what look has found
	unsent []byte
	err    error
	room   [1]byte
}

// askStage is what comes next.
type askStage uint8

const (
	askLook  askStage = iota // whether anything has come on a connection that was idle
	askWrite                 // the request
	askWait                  // until there is something to read
)

// say writes a request, and mostly waits until there is something to read. On a connection that was used before nothing may
// have come since.
func (c *conn) say(head []byte, used bool) error {
	switch {
	case c.secure != nil:
		return c.saySecurely(head, used)
	case c.raw == nil:
		_, err := c.Write(head)
		return err
	}
	a := &c.asking
	if a.step == nil {
		a.step = a.next
	}
	a.stage, a.unsent, a.err = askWrite, head, nil
	if used {
		a.stage = askLook
	}
	for {
		err := c.raw.Read(a.step)
		switch {
		case err == nil:
			return c.finish(a)
		case !c.early(err):
			return err
		case a.stage == askWait:
			return c.finish(a) // Read waits on
		}
	}
}

// finish writes what is left, for which there was no room.
func (c *conn) finish(a *asking) error {
	unsent := a.unsent
	a.unsent = nil
	if a.err != nil || len(unsent) == 0 {
		return a.err
	}
	_, err := c.Write(unsent)
	return err
}

// next is called where the connection can't be closed, and again when there is something to read; true: that is all.
func (a *asking) next(fd uintptr) bool {
	switch a.stage {
	case askLook:
		if !a.quiet(int(fd)) {
			a.err = errStale
			return true
		}
		a.stage = askWrite
		return a.write(int(fd))
	case askWrite:
		return a.write(int(fd))
	}
	return true
}

// quiet tells whether nothing has come.
func (a *asking) quiet(fd int) bool {
	for {
		_, err := unix.Read(fd, a.room[:])
		if !errors.Is(err, unix.EINTR) {
			return errors.Is(err, unix.EAGAIN)
		}
	}
}

// silent tells whether nothing has come that TLS hasn't read. It takes nothing away.
func (c *conn) silent() bool {
	if c.raw == nil {
		return true
	}
	a := &c.asking
	if a.look == nil {
		a.look = a.peek
	}
	return c.raw.Control(a.look) == nil && a.silent
}

func (a *asking) peek(fd uintptr) {
	for {
		_, _, err := unix.Recvfrom(int(fd), a.room[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if !errors.Is(err, unix.EINTR) {
			a.silent = errors.Is(err, unix.EAGAIN)
			return
		}
	}
}

func (a *asking) write(fd int) (over bool) {
	n, err := unix.Write(fd, a.unsent)
	if n > 0 {
		a.unsent = a.unsent[n:]
	}
	a.stage = askWait
	switch {
	case err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
		a.err = fmt.Errorf("write: %w", err)
		return true
	case len(a.unsent) > 0:
		return true
	}
	return false
}
