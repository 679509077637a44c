package governor

import "testing"

const gib = 1 << 30

// TestDecide: the limit is 10 GiB, and the cache's whole budget 5 GiB.
func TestDecide(t *testing.T) {
	full := State{Budget: 5 * gib, Full: 5 * gib, Store: true, Cycle: 7}
	small := State{Budget: 2 * gib, Full: 5 * gib, Store: true, Cycle: 7}
	stopped := State{Budget: 2 * gib, Full: 5 * gib, Cycle: 7}
	for _, tt := range []struct {
		name string
		s    State
		r    Reading
		want State
	}{
		{"enough", full, Reading{Live: 6 * gib, Cycle: 8, Stored: 5 * gib}, full},
		{"between the thresholds nothing changes", small, Reading{Live: 7.5 * gib, Cycle: 8, Stored: 2 * gib}, small},
		{
			"too much goes, counted from what is stored", full,
			Reading{Live: 8.5 * gib, Cycle: 8, Stored: 4 * gib},
			State{Budget: 2.5 * gib, Full: 5 * gib, Store: true, Cycle: 8},
		},
		{"what was evicted shows with the next collection", full, Reading{Live: 8.5 * gib, Cycle: 7, Stored: 4 * gib}, full},
		{
			"nothing is stored when it gets tight", full,
			Reading{Live: 9.5 * gib, Cycle: 8, Stored: 5 * gib},
			State{Budget: 2.5 * gib, Full: 5 * gib, Cycle: 8},
		},
		{"nothing is stored until it is well again", stopped, Reading{Live: 8.5 * gib, Cycle: 7}, stopped},
		{"nor in between", stopped, Reading{Live: 7.5 * gib, Cycle: 9}, stopped},
		{"it comes back slowly", stopped, Reading{Live: 6 * gib, Cycle: 9}, State{Budget: 2*gib + gib/20, Full: 5 * gib, Store: true, Cycle: 7}},
		{"something is always left", small, Reading{Live: 10 * gib, Cycle: 8, Stored: gib}, State{Budget: gib / 4, Full: 5 * gib, Cycle: 8}},
		{
			"neighbours in the cgroup count", full,
			Reading{Live: 3 * gib, Group: 96 * gib / 10, Cycle: 8, Stored: 2 * gib},
			State{Budget: 2*gib - 16*gib/10, Full: 5 * gib, Cycle: 8},
		},
		{"and hold the growth back", small, Reading{Live: 3 * gib, Group: 9 * gib, Cycle: 8, Stored: gib}, small},
	} {
		got := decide(tt.s, 10*gib, tt.r)
		if tt.want.Budget-got.Budget > 8 || got.Budget-tt.want.Budget > 8 {
			t.Errorf("%s: the budget is %d, want %d", tt.name, got.Budget, tt.want.Budget)
		}
		if got.Budget = tt.want.Budget; got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// FuzzDecide: whatever is read, the budget stays between the floor and the whole.
func FuzzDecide(f *testing.F) {
	f.Add(int64(gib), int64(gib), int64(0), int64(0), uint64(1))
	f.Add(int64(1), int64(1<<62), int64(1<<62), int64(1<<62), uint64(0))
	f.Fuzz(func(t *testing.T, limit, live, group, stored int64, cycle uint64) {
		if limit < 1 || live < 0 || group < 0 || stored < 0 {
			t.Skip()
		}
		s := State{Budget: 50, Full: 100, Store: true}
		for range 200 {
			s = decide(s, limit, Reading{Live: live, Group: group, Stored: stored, Cycle: cycle})
			if s.Budget < 5 || s.Budget > 100 {
				t.Fatalf("the budget is %d of 100", s.Budget)
			}
			cycle++
		}
	})
}
