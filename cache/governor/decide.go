package governor

const (
	// shrinkAbove, growBelow and stopAbove are parts of the limit that Live is held against.
	shrinkAbove = 0.80
	growBelow   = 0.70
	stopAbove   = 0.90
	// groupAbove is the part of the cgroup's limit from which on the kernel may soon kill: it counts others as well.
	groupAbove = 0.95
	// growStep is the part of the whole budget that comes back with each reading.
	growStep = 0.01
	// floor is the part of the whole budget that is never taken: a cache without memory would load the origins.
	floor = 0.05
)

// State is what the governor has decided.
type State struct {
	Budget int64  // bytes that the cache may hold now
	Full   int64  // its whole budget, in bytes
	Store  bool   // fills may be stored
	Cycle  uint64 // the collection whose figures it last shrank by
}

// decide returns the next state. The limit is the process's, in bytes.
func decide(s State, limit int64, r Reading) State {
	part := float64(r.Live) / float64(limit)
	group := float64(r.Group) / float64(limit)
	switch {
	case part > shrinkAbove || group > groupAbove:
		s = shrink(s, limit, r)
		s.Store = s.Store && part <= stopAbove && group <= groupAbove
	case part < growBelow && group < shrinkAbove:
		s.Store = true
		s.Budget = min(s.Budget+int64(growStep*float64(s.Full)), s.Full)
	}
	return s
}

// shrink lowers the budget by what is too much, below what is stored; once for each collection, as only the next one
// shows what that freed.
func shrink(s State, limit int64, r Reading) State {
	if r.Cycle == s.Cycle {
		return s
	}
	s.Cycle = r.Cycle
	excess := max(r.Live-int64(growBelow*float64(limit)), r.Group-int64(shrinkAbove*float64(limit)), 0)
	s.Budget = max(min(s.Budget, r.Stored)-excess, int64(floor*float64(s.Full)))
	return s
}
