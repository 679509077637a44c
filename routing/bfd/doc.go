// Package bfd is Bidirectional Forwarding Detection (RFC 5880): it notices within a second that the way to a router, or
// the router itself, is dead, where BGP's hold timer takes many.
//
//	Monitor.Set(peers)     one session per peer, sockets for the families in use        monitor.go
//	 ├ reader ◄─ UDP 3784 │ 4784   from a peer? from next door (GTSM)?                  monitor.go, udp.go
//	 │  └► Parse           what RFC 5880 §6.8.6 discards goes no further                packet.go
//	 └ session             a goroutine that owns a machine and its timer                session.go
//	    ├► waiting         reads for itself before it takes a router for silent         waiting_linux.go
//	    └► Machine         packet, time or goodbye in; packet, change of state out      machine.go, timing.go
//	        └► Change      is it a failure?                                             state.go
//
// The machine is pure: the time is passed in, and it does nothing by itself.
//
// # What is offered
//
//   - Asynchronous mode, over one hop (RFC 5881) or several (RFC 5883), IPv4 and IPv6.
//   - Both systems are active: packets are sent before any has come.
//   - Neither demand mode nor the echo function. A router that asks us to be silent (its demand mode) is obeyed.
//   - No authentication: over one hop the TTL of 255 keeps strangers out (RFC 5881 §5); over several a stranger that can
//     forge the router's address can take the session down, so protect port 4784 by a packet filter.
//   - A goodbye is one packet that says AdminDown. RFC 5880 §6.8.16 would have it repeated for a detection time, which a
//     process that ends doesn't wait for: it closes its BGP sessions before.
//
// It imports nothing else of anyedge.
package bfd
