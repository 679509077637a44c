// Package routing decides which VIPs this node announces, how strongly, and why.
//
// # Life of a withdrawal
//
//	health.Tracker.Signals      what was measured, graded
//	  └► Decide                 pure: signals + state → level and Reason      decide.go
//	      └► Controller         keeps the state, the history, the clock       controller.go
//	          └► Speaker.Set    the routes wanted                             bgp/
//	              └► UPDATE     to every peer, then Adj-RIB-Out is compared with what was wanted
//
// It may import health. It never imports proxy or cache: the data path and the control path meet in
// cmd/anyedge and in health alone.
package routing
