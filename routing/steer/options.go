package steer

import (
	"fmt"
	"net/netip"
	"time"
)

// MaxDatagram is the longest datagram that fits through a tunnel over Ethernet, whatever the families of addresses: 1500
// octets less 98 of headers, rounded down.
const MaxDatagram = 1400

// MaxRate is the most datagrams a second that may be forwarded to one node: those of the tunnel are counted no faster than
// microseconds.
const MaxRate = 900_000

const (
	// minDatagram is what every path of QUIC carries, RFC 9000 section 14.
	minDatagram = 1200
	// maxDatagramRoom is what quic-go has room for.
	maxDatagramRoom = 1452
)

// Options says who this node is among those that steer, and who the others are. It is the `fleet.steering` key.
type Options struct {
	// Metro and Host number this node; no other has both the same. Host 0: the numbers come later, by Renumber.
	Metro uint16 `yaml:"metro"`
	Host  uint16 `yaml:"host"`
	// Address and Port (UDP) are where the tunnel listens. Only the fleet's nodes need to reach it. The port is the same
	// at all nodes.
	Address netip.Addr `yaml:"address"`
	Port    uint16     `yaml:"port"`
	Nodes   []Node     `yaml:"nodes"`
	// MaxDatagram is the longest datagram, in octets, that clients may send. Those that look for their path's MTU settle
	// below it; what is longer couldn't follow its connection through a tunnel.
	MaxDatagram int `yaml:"max_datagram"`
	// Rate is how many datagrams a second are forwarded to one node at most, and a quarter of it for one network of clients
	// (IPv4 /24, IPv6 /48).
	Rate int `yaml:"rate"`
	// Rehome is how long a client's datagrams may come by another node before it is asked to connect anew; 0: forever.
	Rehome time.Duration `yaml:"rehome"`
}

// Node is another node that steers.
type Node struct {
	Name    string     `yaml:"name"`
	Metro   uint16     `yaml:"metro"`
	Host    uint16     `yaml:"host"`
	Address netip.Addr `yaml:"address"` // of its tunnel
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() {
	*o = Options{Metro: 1, Port: 7844, MaxDatagram: MaxDatagram, Rate: 200_000, Rehome: time.Minute}
}

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	if o.Metro == 0 {
		report("metro", "must be 1 to 65535, the same for all nodes of a metro")
	}
	if o.Address.IsValid() && (o.Address.IsUnspecified() || o.Address.IsMulticast()) {
		report("address", "must be this node's own unicast address")
	}
	if o.Port == 0 {
		report("port", "must be a UDP port, the same at all nodes")
	}
	if o.MaxDatagram < minDatagram || o.MaxDatagram > maxDatagramRoom {
		report("max_datagram", fmt.Sprintf("must lie between %d, which QUIC needs, and %d octets", minDatagram, maxDatagramRoom))
	}
	if o.Rate < 1 || o.Rate > MaxRate {
		report("rate", fmt.Sprintf("must lie between 1 and %d datagrams a second", MaxRate))
	}
	if o.Rehome < 0 {
		report("rehome", "must not be negative; 0 never asks a client to connect anew")
	}
	taken := map[NodeID]bool{{o.Metro, o.Host}: true}
	for i, n := range o.Nodes {
		o.checkNode(n, taken, func(key, problem string) { report(fmt.Sprintf("nodes[%d].%s", i, key), problem) })
	}
}

func (o *Options) checkNode(n Node, taken map[NodeID]bool, report func(key, problem string)) {
	id := NodeID{n.Metro, n.Host}
	switch {
	case n.Metro == 0:
		report("metro", "is missing: the number of that node's metro")
	case n.Host == 0:
		report("host", "is missing: the number that this node has in its own configuration")
	case taken[id]:
		report("host", fmt.Sprintf("metro %d has host %d already: every node needs a number of its own", n.Metro, n.Host))
	}
	taken[id] = true
	switch {
	case !n.Address.IsValid() || n.Address.IsUnspecified() || n.Address.IsMulticast():
		report("address", "must be the address at which that node's tunnel listens")
	case o.Address.IsValid() && n.Address.Is4() != o.Address.Is4():
		report("address", fmt.Sprintf("must be of the same family as this node's, %v", o.Address))
	}
}

// Peers are the other nodes, as a Steerer takes them.
func (o *Options) Peers() []Peer {
	var list []Peer
	for _, n := range o.Nodes {
		id := NodeID{n.Metro, n.Host}
		name := n.Name
		if name == "" {
			name = id.String()
		}
		list = append(list, Peer{Name: name, ID: id, Tunnel: netip.AddrPortFrom(n.Address, o.Port)})
	}
	return list
}
