// Package load asks servers over H1, H2 and H3 and says what came back, how fast, and when.
//
//	Plan ─► source: the i-th request and when it is due ─► a driver for each connection ─► recorder ─► Result
//
// In an open loop ([Plan].Rate) requests are due at times that no answer changes: one that waits for a free stream, or for
// a connection, has been waiting since it was due, and its latency says so. A closed loop (no rate) asks anew as soon as an
// answer is there, which shows what a server can do, and hides how long clients would have waited: Result.Closed says that
// its latencies are of that kind.
//
// The clients are made to cost little, since load and server share a machine: H1 is written and read as octets, H2 goes
// over x/net's Framer, with every frame of a read handled before the next write, H3 over quic-go's streams. What they
// check of each answer is its status and how many octets it has. They verify no certificates: the names are loopback's.
//
// It is for measurements. A Result is complete when [Run] returns; nothing stays behind.
package load
