// Package routing decides which VIPs this node announces, how strongly, and why.
//
// # Life of a withdrawal
//
//	health.Tracker.Signals      what was measured, graded
//	  └► Decide                 pure: signals + state → level and Reason      decide.go, assess.go, next.go, text.go
//	  │   ├─ overload           one step after the other, and back            congestion.go
//	  │   ├─ Guard, veto        what other nodes say                          guard.go, fleet.go, fleet/
//	  │   └─ Damper             what changes have cost; may delay a change    damping.go, memory.go
//	      └► Controller         keeps the state, the history, the clock       controller.go
//	          └► Speaker.Set    the routes wanted, told when they change      announcer.go, routes.go, bgp/
//	              └► UPDATE     to every peer, then Adj-RIB-Out is compared with what was wanted
//
// Each decision is kept as a [Record] with all that it rests on. Explain, events, logs and metrics read that record, so
// none of them has a story of its own, and a record that is decided again gives the same decision (replay.go).
//
// # One VIP's way
//
//	            not proven        able to serve         well for a dwell            well for a dwell
//	start ────► 4 withdrawn ────► 2 depreferred ──────► 1 lightly depreferred ─────► 0 announced
//	                ▲  ▲              │      ▲ ▲                 │  ▲                     │
//	                │  └─ local crit ─┘      │ └─ path crit ─────┘  └── path warns ───────┤
//	                │                        └─────────────────────────── path crit ──────┤
//	                ├───────── local crit, at once ───────────────────────────────────────┤
//	                └───────── drain: 2 for DrainLead, then 4 ────────────────────────────┘
//
// It may import health. It never imports proxy or cache: the data path and the control path meet in
// cmd/anyedge and in health alone.
package routing
