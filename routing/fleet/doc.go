// Package fleet is what this node knows of the others that share its VIPs.
//
//	fleet.nodes ──► Static.Run    each node, each interval
//	                  ├► GET /v1/status at its admin API        what it says: levels, origins, room     ask.go
//	                  └► HTTPS to its own address, VIP's name   whether its data plane answers          verify.go
//	                        └► View(vip)  ages, for routing.Decide                                      static.go
//
// What a node says isn't enough: one whose process is well and whose data plane is not says so last. So a node counts as
// able to take over only if it also answers on its own unicast address, by the names of the VIP and through the same
// listener, certificates and sites.
//
// It may import routing and health. Nothing in the data path waits for it.
package fleet
