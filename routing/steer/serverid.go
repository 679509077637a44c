package steer

import (
	"encoding/binary"
	"fmt"
)

// NodeID says which node: Host is unique in its Metro.
type NodeID struct {
	Metro, Host uint16
}

// String is METRO/HOST.
func (n NodeID) String() string { return fmt.Sprintf("%d/%d", n.Metro, n.Host) }

// ServerID is who made a connection ID, and where in the node's process its connection lives.
type ServerID struct {
	NodeID
	// Generation is of the process: another one on the same node has lost the connections of the ones before.
	Generation uint8
	Worker     uint8 // of the process's sockets, each with its transport
}

// MaxWorkers is how many sockets an address of a VIP may have in a process: more than processors keep busy, since a reader
// does no more than to sort.
const MaxWorkers = 64

// Lengths in octets. Server ID and nonce fill one AES block.
const (
	serverIDLen = 8
	nonceLen    = 8
	// CIDLen is the length of every connection ID.
	CIDLen = 1 + serverIDLen + nonceLen
)

// append appends the server ID's octets: metro 2, host 2, generation 1, worker 1, check 2. The check tells connection IDs
// of ours from those that a client chose.
func (s ServerID) append(b []byte, check uint16) []byte {
	b = binary.BigEndian.AppendUint16(b, s.Metro)
	b = binary.BigEndian.AppendUint16(b, s.Host)
	b = append(b, s.Generation, s.Worker)
	return binary.BigEndian.AppendUint16(b, check)
}

// parseServerID returns the server ID and its check; b has serverIDLen octets.
func parseServerID(b []byte) (ServerID, uint16) {
	node := NodeID{Metro: binary.BigEndian.Uint16(b), Host: binary.BigEndian.Uint16(b[2:])}
	return ServerID{NodeID: node, Generation: b[4], Worker: b[5]}, binary.BigEndian.Uint16(b[6:])
}
