package probe

import (
	"errors"
	"testing"

	"github.com/anyedge/anyedge/health"
)

// Each round has a check over QUIC until enough have succeeded in a row, then each fourth; one failure, and each has again.
func TestPacer(t *testing.T) {
	var p pacer
	checks := func(rounds int, err error) (n int) {
		for range rounds {
			if p.due() {
				n++
				p.result(err)
			}
		}
		return n
	}
	if n := checks(health.SelfQUICProven, nil); n != health.SelfQUICProven {
		t.Errorf("at first %d checks", n)
	}
	if n := checks(10*health.SelfQUICEvery, nil); n != 10 {
		t.Errorf("once it is proven %d checks in %d rounds", n, 10*health.SelfQUICEvery)
	}
	if n := checks(health.SelfQUICEvery, errors.New("down")); n != 1 {
		t.Errorf("until the failure %d checks", n)
	}
	if n := checks(20, errors.New("down")); n != 20 {
		t.Errorf("while it fails %d checks of 20", n)
	}
	if n := checks(health.SelfQUICProven, nil); n != health.SelfQUICProven {
		t.Errorf("afterwards %d checks", n)
	}
}
