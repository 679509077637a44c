// Package redis is a certmagic.Storage in Redis: what the nodes of a fleet share of their certificates.
//
//	Store, Load, Delete, List, Stat ─► do ─► Redis        a hash each: the value, and when it was stored   store.go
//	Lock, TryLock ─► SET NX PX ─► a lease, renewed while it is held ─► Unlock, by its owner alone          lock.go
//	do: an error ─► for a while every call fails at once, with that error                                  away.go
//
// Whoever uses it must do without it: each call is bounded in time, and a Redis that is away costs one call in a while
// its time limit, and all others nothing. A lock whose owner has died ends by itself.
//
// Values are stored as they come. It is for who stores private keys to seal them.
//
// It is the home of go-redis, and imports nothing of anyedge.
package redis
