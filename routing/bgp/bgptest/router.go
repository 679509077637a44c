package bgptest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// Options configures a router.
type Options struct {
	ASN     uint32
	PeerASN uint32 // the speaker's; our own for iBGP
	// Address is the loopback address to listen on; default 127.0.0.1. A speaker tells routers apart by address, so two
	// routers of one speaker need two, say 127.0.0.1 and 127.0.0.2.
	Address netip.Addr
	// Port to listen on; 0 lets the kernel choose.
	Port uint16
	// PeerAddress is where the speaker calls from; default 127.0.0.1, or ::1 where Address is IPv6.
	PeerAddress netip.Addr
	Password    string // TCP MD5 (RFC 2385)
	TTLSecurity bool   // GTSM (RFC 5082), for a neighbour one hop away
}

// Router is a running router. Its methods are safe for concurrent use.
type Router struct {
	options  Options
	server   *server.BgpServer
	endWatch context.CancelFunc
	serving  sync.WaitGroup
	changed  chan struct{}

	mu       sync.Mutex // guards the following fields
	history  []Update
	up       bool
	sessions int
	lastDown string
}

// Start starts a router that waits for the speaker's session.
func Start(o Options, log *slog.Logger) (*Router, error) {
	o.setDefaults()
	const tries = 5 // of ports that were free a moment ago
	var err error
	for range tries {
		port := o.Port
		if port == 0 {
			if port, err = freePort(o.Address); err != nil {
				return nil, err
			}
		}
		var r *Router
		if r, err = start(o, port, log); err == nil {
			return r, nil
		}
		if o.Port != 0 {
			break
		}
	}
	return nil, fmt.Errorf("start a BGP router on %s: %w", o.Address, err)
}

func (o *Options) setDefaults() {
	if !o.Address.IsValid() {
		o.Address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if !o.PeerAddress.IsValid() {
		o.PeerAddress = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if o.Address.Is6() {
			o.PeerAddress = netip.IPv6Loopback()
		}
	}
}

func freePort(a netip.Addr) (uint16, error) {
	ln, err := net.Listen("tcp", netip.AddrPortFrom(a, 0).String())
	if err != nil {
		return 0, fmt.Errorf("find a free port on %s: %w", a, err)
	}
	defer ln.Close()
	return uint16(ln.Addr().(*net.TCPAddr).Port), nil
}

func start(o Options, port uint16, log *slog.Logger) (*Router, error) {
	o.Port = port
	watching, endWatch := context.WithCancel(context.Background())
	r := &Router{
		options:  o,
		server:   server.NewBgpServer(server.LoggerOption(log, new(slog.LevelVar))),
		endWatch: endWatch,
		changed:  make(chan struct{}, 1),
	}
	r.serving.Go(r.server.Serve) // until Close
	if err := r.setUp(watching); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Router) setUp(watching context.Context) error {
	err := r.server.StartBgp(watching, &api.StartBgpRequest{Global: &api.Global{
		Asn: r.options.ASN, RouterId: "192.0.2.1", ListenPort: int32(r.options.Port),
		ListenAddresses: []string{r.options.Address.String()},
	}})
	if err != nil {
		return err
	}
	callbacks := server.WatchEventMessageCallbacks{OnPathUpdate: r.update, OnPeerUpdate: r.session}
	if err := r.server.WatchEvent(watching, callbacks, server.WatchPeer(), server.WatchUpdate(false, "", "")); err != nil {
		return err
	}
	return r.server.AddPeer(watching, &api.AddPeerRequest{Peer: r.neighbor()})
}

func (r *Router) neighbor() *api.Peer {
	afi := api.Family_AFI_IP
	if r.options.PeerAddress.Is6() {
		afi = api.Family_AFI_IP6
	}
	p := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: r.options.PeerAddress.String(), PeerAsn: r.options.PeerASN, AuthPassword: r.options.Password,
		},
		Transport: &api.Transport{PassiveMode: true},
		AfiSafis: []*api.AfiSafi{{Config: &api.AfiSafiConfig{
			Enabled: true, Family: &api.Family{Afi: afi, Safi: api.Family_SAFI_UNICAST},
		}}},
	}
	if r.options.TTLSecurity {
		p.TtlSecurity = &api.TtlSecurity{Enabled: true, TtlMin: 255}
	}
	return p
}

// Close stops the router: the session ends with a Cease, and the port is free again.
func (r *Router) Close() {
	r.endWatch()
	r.server.Stop()
	r.serving.Wait()
}

// Address is where the router listens.
func (r *Router) Address() netip.Addr { return r.options.Address }

// Port is where the router listens.
func (r *Router) Port() uint16 { return r.options.Port }

// Table is what the router was told and still holds, sorted by prefix.
func (r *Router) Table() []Route {
	family := gobgp.RF_IPv4_UC
	if r.options.PeerAddress.Is6() {
		family = gobgp.RF_IPv6_UC
	}
	var table []Route
	// It fails only once the router is closed, and then the table is empty.
	_ = r.server.ListPath(apiutil.ListPathRequest{
		TableType: api.TableType_TABLE_TYPE_ADJ_IN, Name: r.options.PeerAddress.String(), Family: family,
	}, func(_ gobgp.NLRI, paths []*apiutil.Path) {
		for _, p := range paths {
			if route, ok := newRoute(p); ok {
				table = append(table, route)
			}
		}
	})
	sortRoutes(table)
	return table
}

// Announce makes the router announce p to the speaker, which must not want it.
func (r *Router) Announce(p netip.Prefix) error {
	path, err := r.path(p)
	if err != nil {
		return err
	}
	_, err = r.server.AddPath(apiutil.AddPathRequest{Paths: []*apiutil.Path{path}})
	return err
}

// Withdraw takes back what Announce announced.
func (r *Router) Withdraw(p netip.Prefix) error {
	path, err := r.path(p)
	if err != nil {
		return err
	}
	return r.server.DeletePath(apiutil.DeletePathRequest{Paths: []*apiutil.Path{path}})
}

func (r *Router) path(p netip.Prefix) (*apiutil.Path, error) {
	nlri, nlriErr := gobgp.NewIPAddrPrefix(p)
	nextHop, nextHopErr := gobgp.NewPathAttributeNextHop(r.options.Address)
	if err := errors.Join(nlriErr, nextHopErr); err != nil {
		return nil, err
	}
	family := gobgp.RF_IPv4_UC
	if p.Addr().Is6() {
		family = gobgp.RF_IPv6_UC
	}
	origin := gobgp.NewPathAttributeOrigin(gobgp.BGP_ORIGIN_ATTR_TYPE_IGP)
	return &apiutil.Path{Family: family, Nlri: nlri, Attrs: []gobgp.PathAttributeInterface{origin, nextHop}}, nil
}
