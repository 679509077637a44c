package steer

import (
	"errors"
	"syscall"
)

// again says whether a read that doesn't wait found nothing.
func again(err error) bool { return errors.Is(err, syscall.EAGAIN) }

// temporary says whether a read may succeed when it is tried again. quic-go ends all connections of a socket at any
// error; want of memory passes.
func temporary(err error) bool {
	return errors.Is(err, syscall.EINTR) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.EAGAIN) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}
