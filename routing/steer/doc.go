// Package steer hands QUIC packets to the node that owns their connection. With anycast a route change carries the packets
// of a live connection to another node; here their connection ID says whose they are.
//
//	client ─► VIP socket ─► classify ─┬─ own, or of nobody yet ──────────► quic-go
//	                                  ├─ of another node ────────────────► tunnel ─► its VIP socket ─► quic-go ─► client
//	                                  ├─ of an owner known to be dead ───► answered with a stateless reset
//	                                  └─ too short, of no known owner ───► dropped, never answered
//
// Every datagram gets a [Verdict], and every verdict is counted.
//
// Connection IDs are those of routing/quiclb, 17 octets, encrypted as one AES block:
//
//	server ID: metro 2, host 2, generation 1, worker 1, check 2      nonce 8
//
// It may import routing/quiclb. It never imports proxy: the listener has an interface of its own for what wraps its
// sockets, and cmd/anyedge joins the two.
package steer
