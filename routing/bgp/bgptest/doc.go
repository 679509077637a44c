// Package bgptest is a BGP router in process, for the demo and for tests: a second GoBGP on a loopback port that waits for
// a speaker's session, keeps what it is told and shows it. It filters nothing and forwards nothing.
package bgptest
