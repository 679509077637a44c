// Package governor keeps the process within its memory: it sets what the cache may hold, and lowers that when the rest
// of the process, or its neighbours, need it.
//
//	cgroup, machine ──▶ limit ──▶ GOMEMLIMIT                   limit.go
//	                      │  └── live heap ──▶ GOGC              pace.go
//	                      │
//	                      ▼
//	cache.memory ──▶ the cache's whole budget                  options.go
//	                      │
//	live heap, cgroup ──▶ decide ──▶ the budget now ──▶ cache  decide.go, reading.go, governor.go
//
// What a garbage-collected process takes from the system says little: it fills what GOMEMLIMIT grants before it collects.
// What counts is what a collection can't free. When that nears the limit, collections follow each other ever faster,
// long before memory runs out; so the budget shrinks from 80 % of the limit on, by as much as there is too much, and no
// content is stored from 90 % on. It grows back slowly below 70 %.
//
// Where there is plenty, and little is live, collections are kept apart by the garbage that comes between them. Where little is
// allocated they are rare anyway, and less room is left for garbage.
//
// The package imports nothing of anyedge.
package governor
