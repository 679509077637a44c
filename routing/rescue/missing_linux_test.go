package rescue_test

import (
	"os"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/routing/rescue"
)

// Whoever has no privileges is told which are missing.
func TestMissing(t *testing.T) {
	err := rescue.Missing()
	if os.Getuid() == 0 {
		t.Skipf("as root: %v", err)
	}
	if err == nil || !strings.Contains(err.Error(), "CAP_NET_ADMIN") || !strings.Contains(err.Error(), "CAP_BPF") {
		t.Errorf("%v", err)
	}
}
