// Package bgptest is a BGP router in process, for the demo and for tests: it waits on a loopback port for a speaker's
// session, keeps what it is told, and shows it as it was on the wire.
//
// It speaks just enough of RFC 4271 to be told routes: OPEN, KEEPALIVE and hold timer, UPDATE, NOTIFICATION, with 4-octet
// AS numbers (RFC 6793) and one address family, that of the session. It selects nothing, filters nothing and forwards
// nothing. Messages are read and written with GoBGP's codec, but no GoBGP server runs here, so that it is a witness of its
// own: GoBGP's would also share package variables with the speaker's, and rest for 5 s after each session.
//
//	listener ─► connection.run   OPEN, KEEPALIVE            connection.go
//	              └► UPDATE ─► Table, Updates, Changed      table.go
package bgptest
