// Package rescue has TCP connections outlive a route change: segments that come to a node which has not their connection go
// to the one that has, through the tunnel of routing/steer.
//
//	client ─► interface ─► program ─┬─ a socket of this host is for it, or it begins one ─► untouched
//	                                └─ none ─► TUN ─► judge ─┬─ the owner is known ─► tunnel ─► its TUN ─► its socket ─► client
//	                                                         ├─ it may be found out ─► dropped, and a question is asked
//	                                                         └─ nobody has it ─► TUN ─► this host resets it
//
// Who owns a connection is read from its timestamps (cookie.go), which [Rescue.Mark] has set on acceptance: nothing is kept,
// and nothing in the packets is rewritten. Where a client has no timestamps, the nodes of the metro are asked, then all others
// (flows.go); the client sends again what is dropped meanwhile. By file, in a segment's order:
//
//	program_linux.go ─► device_linux.go ─► judge.go ─► segment.go, nodes.go, cookie.go ─► flows.go, word.go ─► the owner's rescue.go
//
// The rules that keep it harmless:
//
//   - What has a socket here, what begins a connection, and what isn't TCP to a VIP, never leaves the kernel's way.
//   - What came out of a tunnel goes to the host's sockets, by a device whose packets the program doesn't see: a segment goes
//     by one other node at most.
//   - Nothing is answered but by the host's TCP, which resets what nobody has, as it does without a rescue.
//   - What is sent on, and what is asked, is limited: to a node, for a network of clients, in all.
//   - The program, the device and their maps are held by the process's descriptors alone: they end with it, however it ends.
//
// It is the home of cilium/ebpf; the program is assembled here, instruction by instruction. It may import routing/steer. It
// never imports proxy: the listener has an interface of its own, and cmd/anyedge joins the two.
package rescue
