//go:build lab

package lab

import (
	"embed"
	"net/netip"
	"strings"
	"testing"
	"text/template"
)

// The configurations of the routers and the nodes.
//
//go:embed fleet
var files embed.FS

// Fleet is two metros between a client and an origin, as the package's documentation draws it. The routers run;
// the nodes are the test's to start.
type Fleet struct {
	*Lab

	Client, Core, Origin *Host
	Ams, Fra             *Metro
	Peering              *Link // edge-ams (A) to edge-fra (B)
	CoreRouter           *BIRD
	Preferred            *Metro // by core, among those that are well; see Prefer
	CA                   *Authority
	Site                 *Origin // the origin's server

	cert, key string // files, for SiteName
}

// Metro is one router with one node behind it.
type Metro struct {
	Name     string
	AS       uint32
	Edge     *Host // the metro's router
	Router   Router
	Host     *Host // the node's
	Node     *Node // nil until started
	ToCore   *Link // edge (A) to core (B)
	ToNode   *Link // edge (A) to node (B)
	ToOrigin *Link // node (A) to origin (B)
}

// NewFleet builds the net and starts its routers and its origin.
func NewFleet(t testing.TB) *Fleet {
	t.Helper()
	l := New(t)
	f := &Fleet{
		Lab: l, Client: l.Host("client"), Core: l.Router("core"),
		Ams:    &Metro{Name: "ams", AS: AmsAS, Edge: l.Router("edge-ams"), Host: l.Host("ams-1")},
		Fra:    &Metro{Name: "fra", AS: FraAS, Edge: l.Router("edge-fra"), Host: l.Host("fra-1")},
		Origin: l.Host("origin"),
	}
	f.Preferred = f.Ams
	f.wire()
	f.CA = l.Authority()
	f.cert, f.key = f.CA.Issue(SiteName)
	f.Site = f.Origin.Serve(f.CA)
	f.CoreRouter = f.Core.BIRD(f.render("core.bird.conf", f))
	f.Ams.Router = f.Ams.Edge.BIRD(f.render("edge-ams.bird.conf", f))
	f.Fra.Router = f.Fra.Edge.FRR(f.render("edge-fra.frr.conf", f))
	return f
}

func (f *Fleet) wire() {
	f.Helper()
	toCore := f.Link(f.Client, f.Core)
	f.Client.defaultRoute(toCore.B)
	f.Origin.Address(Origin4, Origin6)
	f.Peering = f.Link(f.Ams.Edge, f.Fra.Edge)
	for _, m := range []*Metro{f.Ams, f.Fra} {
		m.ToCore = f.Link(m.Edge, f.Core)
		m.ToNode = f.Link(m.Edge, m.Host)
		m.ToOrigin = f.Link(m.Host, f.Origin)
		m.Host.Address(VIP4, VIP6)
		m.Host.defaultRoute(m.ToNode.A)
		m.Host.Route(host(Origin4), m.ToOrigin.B.V4)
		m.Host.Route(host(Origin6), m.ToOrigin.B.V6)
		f.Origin.Route(host(m.ToNode.B.V4), m.ToOrigin.A.V4)
		f.Origin.Route(host(m.ToNode.B.V6), m.ToOrigin.A.V6)
	}
}

// defaultRoute sends everything else to a router's end of a link.
func (h *Host) defaultRoute(router End) {
	h.lab.Helper()
	h.Route(netip.PrefixFrom(netip.IPv4Unspecified(), 0), router.V4)
	h.Route(netip.PrefixFrom(netip.IPv6Unspecified(), 0), router.V6)
}

// Prefer flips the route: core prefers another metro from now on, as long as that is well.
func (f *Fleet) Prefer(m *Metro) {
	f.Helper()
	f.Preferred = m
	f.CoreRouter.Reconfigure(f.render("core.bird.conf", f))
}

// RestartAms kills the router of metro ams and starts it anew.
func (f *Fleet) RestartAms() {
	f.Helper()
	f.Ams.Router.(*BIRD).Kill()
	f.Ams.Router = f.Ams.Edge.BIRD(f.render("edge-ams.bird.conf", f))
}

// Settings is what may differ between the nodes of a fleet; the zero value has the defaults of the product.
type Settings struct {
	Probe string // more of the origin's probe, as in "interval: 100ms, timeout: 100ms"
	BGP   string // more of the key bgp, one line, as in "levels: {0: {med: 50}}"
	Peers string // further items of bgp.peers, a line each
	VIPs  string // further VIPs, below the key vips
	TLS   string // one line in place of the site's certificate, as in "acme: {…}"
	More  string // further keys of the configuration
}

// Quick are settings for tests of what happens, not of when: everything that waits, waits little.
func Quick() Settings {
	return Settings{
		Probe: "interval: 100ms, timeout: 300ms",
		More: `
health:
  self_check: {interval: 100ms, timeout: 500ms, rise: 2}
  signals: {fill_errors: {window: 2s}, fill_latency: {window: 2s}}
routing: {path_fall: 300ms, rise: 500ms, warm_up: 100ms, drain_lead: 300ms}
`,
	}
}

// Start runs a node in each of the metros.
func (f *Fleet) Start(s Settings, metros ...*Metro) {
	f.Helper()
	for _, m := range metros {
		m.Node = m.Host.StartNode(f.Config(m, s))
	}
}

// Config is the configuration of a metro's node.
func (f *Fleet) Config(m *Metro, s Settings) string {
	f.Helper()
	return f.render("node.yaml", map[string]any{
		"Metro": m, "Probe": s.Probe, "BGP": s.BGP, "Peers": s.Peers, "VIPs": s.VIPs, "TLS": s.TLS, "More": s.More,
		"VIP4": VIP4, "VIP6": VIP6, "Prefix4": Prefix4, "Prefix6": Prefix6, "Origin4": Origin4, "NodeAS": NodeAS,
		"CA": f.CA, "Cert": f.cert, "Key": f.key, "SiteName": SiteName, "OriginName": OriginName,
	})
}

// CoreAS and NodeAS are for the routers' configurations.
func (f *Fleet) CoreAS() int { return CoreAS }
func (f *Fleet) NodeAS() int { return NodeAS }

// render fills in a configuration.
func (f *Fleet) render(file string, data any) string {
	f.Helper()
	t, err := template.ParseFS(files, "fleet/"+file)
	if err != nil {
		f.Fatal(err)
	}
	var s strings.Builder
	if err := t.Execute(&s, data); err != nil {
		f.Fatal(err)
	}
	return s.String()
}
