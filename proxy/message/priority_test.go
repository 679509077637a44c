package message

import "testing"

func TestPriority(t *testing.T) {
	for value, want := range map[string]struct {
		urgency     int8
		incremental bool
	}{
		"": {3, false}, "u=0": {0, false}, "u=7, i": {7, true}, "i,u=1": {1, true}, "u=8": {3, false}, "u=-1": {3, false},
		"i=?0": {3, false}, "i=?1;x=y": {3, true}, " u=2 ": {2, false}, "x=1, u=5;a": {5, false}, ",,=": {3, false},
	} {
		if u, i := Priority(value); u != want.urgency || i != want.incremental {
			t.Errorf("%q: %d, %t", value, u, i)
		}
	}
}
