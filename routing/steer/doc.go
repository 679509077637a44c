// Package steer hands QUIC packets to the node that owns their connection. With anycast a route change carries the packets
// of a live connection to another node; here their connection ID says whose they are.
//
//	client ─► VIP socket ─► classify ─┬─ own, or of nobody yet ──────────► quic-go
//	                                  ├─ of another worker ──────────────► its queue ─► quic-go
//	                                  ├─ of another node ────────────────► tunnel ─► its VIP socket ─► quic-go ─► client
//	                                  ├─ of the process before this one ─► link ─► quic-go there ─► client
//	                                  ├─ of an owner known to be dead ───► answered with a stateless reset
//	                                  └─ too short, of no known owner ───► dropped, never answered
//
// Every datagram gets a [Verdict], and every verdict is counted. By file, in a datagram's order:
//
//	intake.go ─► classify.go, ids.go ─► sort.go ─┬─► conn.go        to quic-go, in the batches that it reads
//	                                             ├─► reset.go
//	                                             ├─► workers.go ─► another one's queue.go ─► its conn.go
//	                                             └─► egress.go ─► pair.go, header.go ─► the owner's tunnel.go ─► queue.go ─► conn.go
//	handover.go     the process before this one on the same node, whose datagrams are handed to it
//	detour.go       whose datagrams have come by others for so long that they are asked to connect anew
//	heartbeat.go ─► beat.go, pmtu.go: who lives, how far, how wide ─► judge.go: whom others may answer for
//
// TCP segments that routing/rescue finds to be another node's, and its questions, go through the same tunnel (segments.go).
//
// The rules that keep it harmless:
//
//   - What came out of a tunnel never goes into one: a datagram goes by one other node at most.
//   - Nothing is answered but packets of connections that are lost for sure, and those by less than they have.
//   - A message is believed if it is sealed by the pair's key, fresh in its window, and of a process that has answered a
//     random question: what was recorded from a former one is of no use.
//   - What is forwarded, and what is answered, is limited: to a node, for a network of clients, in all.
//   - Datagrams that wouldn't fit through a tunnel are dropped wherever they come in, so that clients never find a path MTU
//     that holds at one node alone.
//
// Connection IDs are those of routing/quiclb, 17 octets, encrypted as one AES block:
//
//	server ID: metro 2, host 2, generation 1, worker 1, check 2      nonce 8
//
// It may import routing/quiclb and health. It never imports proxy: the listener has an interface of its own for what wraps its
// sockets, and cmd/anyedge joins the two.
package steer
