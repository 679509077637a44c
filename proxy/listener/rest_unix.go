//go:build unix

package listener

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// restAfter is how long a connection over TCP is quiet before it gives its goroutine back. To begin a rest and to end it take
// a few µs, so that one which is asked every few seconds doesn't.
const restAfter = 3 * time.Second

// await returns when something has come, or when the deadline for reading has passed; what it was, Read tells. It needs
// little of a stack, unlike Read under TLS, which waits at the bottom of a dozen calls: that much a connection at rest keeps.
func (c *conn) await() {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(hasInput) // its error is Read's, too
}

// hasInput is false where a socket has nothing to read.
func hasInput(fd uintptr) bool {
	for {
		fds := [...]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds[:], 0)
		if !errors.Is(err, unix.EINTR) {
			return n != 0
		}
	}
}
