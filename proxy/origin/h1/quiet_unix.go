//go:build unix

package h1

import "golang.org/x/sys/unix"

// quiet tells whether nothing has come on an idle connection, its end included.
func (c *conn) quiet() bool {
	if c.raw == nil {
		return true
	}
	quiet := false
	err := c.raw.Control(func(fd uintptr) {
		poll := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll[:], 0)
		quiet = err == nil && n == 0
	})
	return err == nil && quiet
}
