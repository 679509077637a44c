// Package target starts and accounts for what is measured: anyedge, its peers, and the origin that all of them have.
//
//	Site: a directory, a certificate, an Origin  ─►  Edge, Peers: how each is configured  ─►  Server: processes, pinned
//
// An [Origin] answers any path of the form that [Path] makes, and counts, so that a measurement knows whether a hit was one.
// A [Server]'s processor time and memory are those of all its processes, from /proc: it needs Linux. Servers have one core
// for themselves where there are two ([Pin]).
package target
