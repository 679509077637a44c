package probe

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestHints(t *testing.T) {
	a := netip.MustParseAddrPort("198.51.100.10:443")
	for errno, want := range map[syscall.Errno]string{
		syscall.ENETUNREACH:  "ip address add 198.51.100.10/32 dev lo",
		syscall.EHOSTUNREACH: "ip address add 198.51.100.10/32 dev lo",
		syscall.ECONNREFUSED: "nothing listens there",
		syscall.ECONNRESET:   "",
	} {
		err := Self{}.failed("https", a, fmt.Errorf("dial: %w", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}))
		if !strings.Contains(err.Error(), want) || !errors.Is(err, errno) || !strings.HasPrefix(err.Error(), "self check of https at "+a.String()) {
			t.Errorf("%v: %v", errno, err)
		}
		if want == "" && strings.Contains(err.Error(), "ip address") {
			t.Errorf("%v has a hint: %v", errno, err)
		}
	}
}
