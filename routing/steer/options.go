package steer

import (
	"fmt"
	"net/netip"
)

// MaxDatagram is the longest datagram that fits through a tunnel over Ethernet, whatever the families of addresses: 1500
// octets less 98 of headers, rounded down.
const MaxDatagram = 1400

// maxDatagramRoom is what quic-go has room for.
const maxDatagramRoom = 1452

// minDatagram is what every path of QUIC carries, RFC 9000 section 14.
const minDatagram = 1200

// Options says who this node is among those that steer, and who the others are. It is the `fleet.steering` key.
type Options struct {
	// Metro and Host number this node; no other has both the same. Metro 0 and host 0 are of nobody.
	Metro uint16 `yaml:"metro"`
	Host  uint16 `yaml:"host"`
	// Listen is the tunnel's own address and UDP port, which only the fleet's nodes need to reach.
	Listen netip.AddrPort `yaml:"listen"`
	Nodes  []Node         `yaml:"nodes"`
	// MaxDatagram is the longest datagram, in octets, that clients may send. Those that look for their path's MTU settle
	// below it; what is longer couldn't follow its connection through a tunnel.
	MaxDatagram int `yaml:"max_datagram"`
	// Rate is how many datagrams a second are forwarded to one node at most; 0: the default.
	Rate int `yaml:"rate"`
}

// Node is another node that steers.
type Node struct {
	Name   string         `yaml:"name"`
	Metro  uint16         `yaml:"metro"`
	Host   uint16         `yaml:"host"`
	Tunnel netip.AddrPort `yaml:"tunnel"` // its listen
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() { *o = Options{Metro: 1, MaxDatagram: MaxDatagram, Rate: 200_000} }

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	if o.Metro == 0 {
		report("metro", "must be 1 to 65535, the same for all nodes of a metro")
	}
	if o.Host == 0 {
		report("host", "is missing: a number, 1 to 65535, that no other node of the metro has")
	}
	if !o.Listen.IsValid() || o.Listen.Port() == 0 || o.Listen.Addr().IsUnspecified() || o.Listen.Addr().IsMulticast() {
		report("listen", "must be this node's own unicast address and a UDP port, 192.0.2.11:7844 say")
	}
	if o.MaxDatagram < minDatagram || o.MaxDatagram > maxDatagramRoom {
		report("max_datagram", fmt.Sprintf("must lie between %d, which QUIC needs, and %d", minDatagram, maxDatagramRoom))
	}
	if o.Rate < 1 || o.Rate > 10_000_000 {
		report("rate", "must lie between 1 and 10000000 datagrams a second")
	}
	nodes := map[NodeID]bool{{o.Metro, o.Host}: true}
	for i, n := range o.Nodes {
		o.checkNode(n, nodes, func(key, problem string) { report(fmt.Sprintf("nodes[%d].%s", i, key), problem) })
	}
}

func (o *Options) checkNode(n Node, taken map[NodeID]bool, report func(key, problem string)) {
	id := NodeID{n.Metro, n.Host}
	switch {
	case n.Metro == 0:
		report("metro", "must be 1 to 65535, as in that node's own configuration")
	case n.Host == 0:
		report("host", "is missing: as in that node's own configuration")
	case taken[id]:
		report("host", fmt.Sprintf("metro %d has host %d already: every node needs a number of its own", n.Metro, n.Host))
	}
	taken[id] = true
	switch {
	case !n.Tunnel.IsValid() || n.Tunnel.Port() == 0 || n.Tunnel.Addr().IsUnspecified():
		report("tunnel", "must be the address and UDP port at which that node's tunnel listens")
	case o.Listen.IsValid() && n.Tunnel.Addr().Unmap().Is4() != o.Listen.Addr().Unmap().Is4():
		report("tunnel", fmt.Sprintf("must be of the same family as listen, %v", o.Listen))
	}
}

// Peers are the other nodes, as the tables take them.
func (o *Options) Peers() []Peer {
	var list []Peer
	for _, n := range o.Nodes {
		name := n.Name
		if name == "" {
			name = NodeID{n.Metro, n.Host}.String()
		}
		list = append(list, Peer{Name: name, ID: NodeID{n.Metro, n.Host}, Tunnel: n.Tunnel})
	}
	return list
}
