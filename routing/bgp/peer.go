package bgp

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/api"
)

const (
	// connectRetry is how long to wait between attempts to connect; GoBGP takes at least 2 s, of which it waits 75 to 100 %.
	// Its default of 120 s would leave a VIP without routes for minutes after a router's restart.
	connectRetry = 2 * time.Second
	// idleHoldAfterReset is how long a session rests after we reset it.
	idleHoldAfterReset = time.Second
	// maxTTL is what a packet starts with under GTSM (RFC 5082).
	maxTTL = 255
)

// neighbor is a peer with all that makes a session with it what it is.
type neighbor struct {
	Peer
	extra    communities // of all that it gets
	password string
	ownASN   uint32
	holdTime time.Duration
}

// internal says whether the session is iBGP.
func (n *neighbor) internal() bool { return n.ASN == n.ownASN }

// label names the neighbor in events.
func (n *neighbor) label() string { return fmt.Sprintf("%s (%s)", n.Name, n.Address) }

// sameSession says whether a session with other may go on as one with n: only the name, BFD and what the export
// policy alone rests on may differ.
func (n *neighbor) sameSession(other neighbor) bool {
	other.Name, other.Class, other.Blackhole = n.Name, n.Class, n.Blackhole
	other.Communities, other.extra, other.BFD = n.Communities, n.extra, n.BFD
	return reflect.DeepEqual(*n, other)
}

// getsOther says whether other is the same session, of which the export policy wants something else now.
func (n *neighbor) getsOther(other neighbor) bool {
	return n.sameSession(other) && (other.Class != n.Class || other.Blackhole != n.Blackhole || !slices.Equal(other.Communities, n.Communities))
}

// api is n in GoBGP's terms. Graceful restart is left out: a dead process must not attract traffic.
func (n *neighbor) api() *api.Peer {
	p := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: n.Address.String(), PeerAsn: n.ASN, LocalAsn: n.ownASN,
			Description: n.Name, AuthPassword: n.password, AdminDown: n.strict(),
		},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime:               seconds(n.holdTime),
			KeepaliveInterval:      seconds(n.holdTime / 3),
			ConnectRetry:           seconds(connectRetry),
			IdleHoldTimeAfterReset: seconds(idleHoldAfterReset),
		}},
		Transport: &api.Transport{RemotePort: uint32(n.Port)},
		AfiSafis: []*api.AfiSafi{{Config: &api.AfiSafiConfig{
			Enabled: true,
			Family:  &api.Family{Afi: afi(n), Safi: api.Family_SAFI_UNICAST},
		}}},
	}
	if n.LocalAddress.IsValid() {
		p.Transport.LocalAddress = n.LocalAddress.String()
	}
	if n.TTLSecurity > 0 {
		p.TtlSecurity = &api.TtlSecurity{Enabled: true, TtlMin: maxTTL + 1 - uint32(n.TTLSecurity)}
	}
	if n.Multihop > 0 && !n.internal() {
		p.EbgpMultihop = &api.EbgpMultihop{Enabled: true, MultihopTtl: uint32(n.Multihop)}
	}
	return p
}

func afi(n *neighbor) api.Family_Afi {
	if n.Address.Is4() {
		return api.Family_AFI_IP
	}
	return api.Family_AFI_IP6
}

func seconds(d time.Duration) uint64 { return uint64(d / time.Second) }
