package bgp

import (
	"net/netip"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bfd"
)

// Watch tells whether peers are alive.
type Watch = watch

// UseWatch has w tell it instead of BFD, and returns whom w tells of changes.
func (s *Speaker) UseWatch(w Watch) (changed func(netip.Addr, bfd.Change)) {
	s.watch = w
	return s.sessions.watched
}

// Inject gives GoBGP a path for p as Set would at level, past every check of Set's.
func (s *Speaker) Inject(p netip.Prefix, level routing.Level) error {
	path, err := newPath(p, everyPeer, s.settings.levels[level])
	if err != nil {
		return err
	}
	return s.engine.Load().apply([]*apiutil.Path{path}, nil)
}

// InjectUnmarked gives GoBGP a path for p that no level's marker is on.
func (s *Speaker) InjectUnmarked(p netip.Prefix) error {
	path, err := newPath(p, everyPeer, attributeSet{})
	if err != nil {
		return err
	}
	return s.engine.Load().apply([]*apiutil.Path{path}, nil)
}

// Divergence is where the peers' Adj-RIB-Out was not what was wanted, when last compared.
func (s *Speaker) Divergence() []string {
	var list []string
	for _, session := range s.sessions.snapshot() {
		list = append(list, session.diverging...)
	}
	return list
}

// Held is every prefix in GoBGP's table, whoever it came from.
func (s *Speaker) Held() ([]netip.Prefix, error) { return s.engine.Load().table() }

// Received counts the routes that the peer called name has announced, imported or not.
func (s *Speaker) Received(name string) int {
	n := 0
	for _, session := range s.sessions.snapshot() {
		if session.Name != name {
			continue
		}
		req := apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_ADJ_IN, Name: session.Address.String(), Family: family(session.Address)}
		if err := s.engine.Load().server.ListPath(req, func(gobgp.NLRI, []*apiutil.Path) { n++ }); err != nil {
			panic(err)
		}
	}
	return n
}

// ParseCommunity reads one community and returns its canonical form.
func ParseCommunity(text string) (string, error) {
	var cs communities
	if err := cs.add(text); err != nil {
		return "", err
	}
	if len(cs.standard) == 1 {
		return cs.standard[0].String(), nil
	}
	return cs.large[0].String(), nil
}

// ReadPassword is readPassword.
var ReadPassword = readPassword

// CheckPrefix is checkPrefix.
var CheckPrefix = checkPrefix

// Truncate is truncate.
var Truncate = truncate

// table lists every prefix that GoBGP holds.
func (e *engine) table() ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, f := range []gobgp.Family{gobgp.RF_IPv4_UC, gobgp.RF_IPv6_UC} {
		err := e.server.ListPath(apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: f}, func(n gobgp.NLRI, _ []*apiutil.Path) {
			if p, ok := n.(*gobgp.IPAddrPrefix); ok {
				list = append(list, p.Prefix)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}
