// Package fleet is what this node knows of the others that share its VIPs, and what it tells them.
//
//	fleet.join ──► Fleet.Run      gossip: who is there, and each one's Record         fleet.go, heard.go, gossip/
//	                 ├► Record        what a node says of itself, as octets           record.go, codec.go
//	                 ├► Allocate      its numbers in connection IDs; pure             serverid.go
//	                 ├► Say, Hear     what others of anyedge tell each other          word.go
//	                 └► purger        every purge reaches every node                  purge.go, purgelog.go, statefile.go
//	fleet.nodes ─► api            GET /v1/status of those that are listed instead     ask.go
//	                                 │ what each says: levels, origins, room
//	               Others.Run ◄──────┘                                                others.go
//	                 ├► HTTPS to each one's own address, by the VIP's name: does its data plane answer?   verify.go
//	                 └► View(vip)  ages, for routing.Decide
//
// What a node says isn't enough: one whose process is well and whose data plane is not says so last. So a node counts as
// able to take over only if it also answers on its own unicast address, by the names of the VIP and through the same
// listener, certificates and sites. Gossip says who there is; it never says that somebody serves.
//
// It may import routing and health. Nothing in the data path waits for it.
package fleet
