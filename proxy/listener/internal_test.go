package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

func TestBindErrorsSayWhatToDo(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.EACCES:        "CAP_NET_BIND_SERVICE",
		syscall.EPERM:         "net.ipv4.ip_unprivileged_port_start=443",
		syscall.EADDRINUSE:    "ss -lntp 'sport = :443'",
		syscall.EADDRNOTAVAIL: "ip address add 2001:db8::1/128 dev lo",
		syscall.EAFNOSUPPORT:  "no IPv6",
		syscall.ENOBUFS:       "listen on [2001:db8::1]:443/tcp: ",
	} {
		cause := &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", errno)}
		err := bindError(netip.MustParseAddrPort("[2001:db8::1]:443"), "tcp", cause)
		if !strings.Contains(err.Error(), want) || !errors.Is(err, errno) {
			t.Errorf("%v: %q lacks %q", errno, err, want)
		}
	}
}

// A connection outlives errors that pass; those that quic-go learns from must reach it.
func TestWhichSendErrorsPass(t *testing.T) {
	for errno, want := range map[syscall.Errno]bool{
		syscall.ENETUNREACH: true, syscall.EHOSTUNREACH: true, syscall.ENOBUFS: true, syscall.EPERM: true,
		syscall.EMSGSIZE: false, syscall.EIO: false, syscall.EINVAL: false, syscall.EADDRNOTAVAIL: false, syscall.EBADF: false,
	} {
		if got := passes(&net.OpError{Op: "write", Err: os.NewSyscallError("sendmsg", errno)}); got != want {
			t.Errorf("%v: %t, want %t", errno, got, want)
		}
	}
	if passes(net.ErrClosed) {
		t.Error("a closed socket doesn't pass")
	}
}

func TestLossOf(t *testing.T) {
	for _, c := range []struct {
		cause error
		busy  bool
		want  loss
	}{
		{nil, false, ""},
		{context.Canceled, false, ""},
		{&quic.IdleTimeoutError{}, false, ""},
		{&quic.IdleTimeoutError{}, true, lostTimeout},
		{&quic.StatelessResetError{}, false, lostReset},
		{&quic.ApplicationError{Remote: true, ErrorCode: 0x100}, true, ""},
		{&quic.ApplicationError{Remote: true}, false, ""},
		{&quic.ApplicationError{Remote: true, ErrorCode: 0x102}, false, lostError},
		{fmt.Errorf("wrapped: %w", &quic.TransportError{ErrorCode: quic.ProtocolViolation}), false, lostError},
	} {
		if got := lossOf(c.cause, c.busy); got != c.want {
			t.Errorf("%v, busy %t: %q, want %q", c.cause, c.busy, got, c.want)
		}
	}
}

func TestLossText(t *testing.T) {
	for want, counts := range map[string]map[string]int{
		"1 connection lost: h3 timeout 1":                         {"h3 timeout": 1},
		"12 connections lost: h1 reset 4, h2 reset 1, h3 reset 7": {"h3 reset": 7, "h1 reset": 4, "h2 reset": 1},
	} {
		if got := lossText(counts); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAcceptHint(t *testing.T) {
	if hint := acceptHint(os.NewSyscallError("accept4", syscall.EMFILE)); !strings.Contains(hint, "LimitNOFILE") {
		t.Error(hint)
	}
	if hint := acceptHint(syscall.ECONNABORTED); strings.Contains(hint, "LimitNOFILE") {
		t.Error(hint)
	}
}

// The rate lets a second's worth of handshakes begin at once, and no more than that in each second after.
func TestHandshakesCrowdedByRate(t *testing.T) {
	h := NewHandshakes(1000, 10)
	now := time.Now()
	begin := func(n int) (free int) {
		for range n {
			if h.crowded(now) == crowdNone {
				free++
			}
		}
		return free
	}
	for _, step := range []struct {
		after   time.Duration
		n, free int
	}{
		{0, 100, 10}, {0, 5, 0}, {100 * time.Millisecond, 5, 1}, {500 * time.Millisecond, 9, 5}, {time.Hour, 100, 10}, {time.Second, 9, 9}, {time.Second, 9, 9},
	} {
		now = now.Add(step.after)
		if free := begin(step.n); free != step.free {
			t.Errorf("%s later: %d of %d began without proof, want %d", step.after, free, step.n, step.free)
		}
	}
	h.SetLimits(1000, 0)
	now = now.Add(time.Hour)
	if why := h.crowded(now); why != crowdRate {
		t.Errorf("with a rate of 0: %q", why)
	}
	h.SetLimits(0, 10)
	if why := h.crowded(now); why != crowdUnfinished {
		t.Errorf("with 0 unfinished: %q", why)
	}
}
