// Package gossip is who is in the fleet, and what each node wants all others to know.
//
//	Open ──► transport            sockets at the node's own address, bounded      transport.go
//	  └► memberlist               who is there: probes, suspicion, push/pull
//	       ├► members             alive, failed, left; round-trip times           members.go
//	       ├► states              one state per node, its newest version          states.go, wire.go
//	       └► strangers           whoever speaks without the fleet's secret       strangers.go
//	Mesh.Run ──► beats, joins, asks for what it missed, leaves at the end         mesh.go, join.go
//
// A state is some octets that one node alone writes. Its newest version comes to every node: as a broadcast where it fits
// a packet, else by asking the node for it when a beat tells of one that isn't there, and by the exchange of everything
// with somebody now and then. A beat says that a node lives, each interval, and reaches those whom the node itself
// doesn't reach. What the octets mean is the importer's.
//
// Everything that is sent is encrypted with the first of the fleet's keys (AES-GCM); what none of them opens is counted
// by its sender's address, and nothing of it is looked at.
//
// It is the home of memberlist, and may import health alone.
package gossip
