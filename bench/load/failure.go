package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/quic-go/quic-go"
)

// failure is why a request has no answer, or not the one that it must have.
type failure struct {
	kind string // as in Tally.Failures
	path string
	err  error
}

func (f *failure) Error() string {
	if f.err == nil {
		return fmt.Sprintf("GET %s: %s", f.path, f.kind)
	}
	return fmt.Sprintf("GET %s: %s: %v", f.path, f.kind, f.err)
}

func (f *failure) Unwrap() error { return f.err }

type lengthError struct{ got, want int64 }

func (e lengthError) Error() string { return fmt.Sprintf("%d octets of %d", e.got, e.want) }

func statusKind(status int) string { return "status " + strconv.Itoa(status) }

// kindOf sorts an error by what a client would say of it.
func kindOf(err error) string {
	var f *failure
	var idle *quic.IdleTimeoutError
	var handshake *quic.HandshakeTimeoutError
	var stream *quic.StreamError
	var netErr net.Error
	switch {
	case errors.As(err, &f) && f.kind != "":
		return f.kind
	case errors.As(err, &stream):
		return "reset"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &idle), errors.As(err, &handshake), errors.As(err, &netErr) && netErr.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	default:
		return "error"
	}
}
