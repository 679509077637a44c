package admission_test

import (
	"net/netip"
	"testing"

	"github.com/anyedge/anyedge/proxy/admission"
)

func TestShares(t *testing.T) {
	t.Parallel()
	s := admission.NewShares(2)
	take := func(client string, want bool) {
		t.Helper()
		if full := s.Full(netip.MustParseAddr(client)); full == want {
			t.Errorf("%s: full is %v", client, full)
		}
		if got := s.Take(netip.MustParseAddr(client)); got != want {
			t.Errorf("%s: %v", client, got)
		}
	}
	take("192.0.2.1", true)
	take("::ffff:192.0.2.1", true)
	take("192.0.2.1", false)
	take("192.0.2.2", true)
	take("2001:db8::1", true)
	take("2001:db8::ffff", true)
	take("2001:db8::2", false) // of the same /64
	take("2001:db8:0:1::2", true)
	s.Give(netip.MustParseAddr("192.0.2.1"))
	take("192.0.2.1", true)
	s.SetLimit(1)
	s.Give(netip.MustParseAddr("192.0.2.1"))
	take("192.0.2.1", false)
	s.Give(netip.MustParseAddr("192.0.2.1"))
	take("192.0.2.1", true)
	s.SetLimit(0)
	for range 100 {
		take("192.0.2.1", true)
	}
}
