//go:build unix

package h1

import "golang.org/x/sys/unix"

// poll is what quiet needs each time.
type poll struct {
	look func(fd uintptr)
	fds  [1]unix.PollFd
	none bool // nothing has come
}

// quiet tells whether nothing has come on an idle connection, its end included.
func (c *conn) quiet() bool {
	if c.raw == nil {
		return true
	}
	if c.poll.look == nil {
		c.poll.look = c.poll.now
	}
	c.poll.none = false
	return c.raw.Control(c.poll.look) == nil && c.poll.none
}

func (p *poll) now(fd uintptr) {
	p.fds[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	n, err := unix.Poll(p.fds[:], 0)
	p.none = err == nil && n == 0
}
