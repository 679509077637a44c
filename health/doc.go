// Package health holds what the node thinks of itself.
//
// Parts of the data path report to a [Tracker] and the control path reads it; neither waits for the other:
//
//	requests ── Request ───► counter          demand, lock-free      counter.go
//	fills ───── Fill ──────► windows          outcomes, histogram    window.go, histogram.go
//	         ── Place ────► a window         who had to wait
//	probes ──── Servers ───► the last result                         origin.go
//	checks ──── SelfCheck ─► streaks          failures in a row      selfcheck.go
//	load ────── Load ──────► the last figures                        nodeload.go, package load
//	                              │
//	                         Signals(now)     graded                 grade.go, tracker.go
//	                              └─► routing.Decide
//
// A signal is a figure over a window with thresholds to enter and to leave each grade, so that a value that hovers
// around a threshold doesn't flap. The [Journal] keeps what happened, for `anyedge events`.
//
// # Unknown, and what proves a recovery
//
// Too few samples make a signal unknown, and unknown is never critical. So a signal that drives traffic away takes away
// its own evidence: once a node is depreferred, few fills are left, and fill_errors goes from critical to unknown
// without anything being proven. Three rules keep that from flapping:
//
//   - A grade is kept until the samples are fewer than half of what it took to get it, so it isn't lost by a hair.
//   - The rise is slow: routing waits its dwell at each step, and doubles it with each relapse.
//   - Active probes don't depend on traffic. Where an origin has them, they must be well before anything rises: they are
//     what proves a recovery. Holding a node down for want of samples would keep it down for ever.
//
// What is measured by the clock, self checks and load, is another matter: if no result comes for three intervals, that is
// a warning, since whoever measures may hang. It is never critical, and a grade that is worse stays.
//
// It is a leaf: it imports nothing of anyedge, and everyone may import it.
package health
