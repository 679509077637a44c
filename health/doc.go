// Package health holds what the node thinks of itself.
//
// Parts of the data path report to a [Tracker] and the control path reads it; neither waits for the other:
//
//	active probes ──┐
//	fills ──────────┼─► Tracker ─► []Signal ─► routing.Decide
//	self checks ────┘
//
// A signal is a figure over a window with thresholds to enter and to leave each grade, so that a value
// that hovers around a threshold doesn't flap. The [Journal] keeps what happened, for `anyedge events`.
//
// It is a leaf: it imports nothing of anyedge, and everyone may import it.
package health
