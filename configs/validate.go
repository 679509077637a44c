package configs

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/proxy"
	"github.com/anyedge/anyedge/tls/acme"
)

// validate reports what no package can see by itself: what refers to what, and what excludes what.
func (d *decoder) validate(cfg *Config) {
	d.validateNode(&cfg.Node)
	d.validateNames(cfg)
	d.validateVIPs(cfg)
	d.validateSites(cfg)
	d.validateDisk(cfg)
	d.validatePeers(cfg)
	d.validateShed(cfg)
	d.validateFleet(cfg)
	d.validateACME(cfg)
	d.validateSteering(cfg)
}

// namePattern keeps names fit for logs, metrics and fields: the node's is a token in Via and Cache-Status.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

const nameRule = "must begin with a letter or a digit and have only letters, digits, '.', '_' and '-', at most 63"

func (d *decoder) validateNode(n *Node) {
	switch {
	case n.Name == "":
		d.report("node.name", "is missing: a name that no other node of the fleet has")
	case !namePattern.MatchString(n.Name):
		d.report("node.name", nameRule)
	}
	if n.Metro != "" && !namePattern.MatchString(n.Metro) {
		d.report("node.metro", nameRule)
	}
	if a := n.Address; a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() {
		d.report("node.address", fmt.Sprintf("%s is not the unicast address of one host", a))
	}
}

func (d *decoder) validateNames(cfg *Config) {
	for section, names := range map[string][]string{
		"vips": slices.Collect(maps.Keys(cfg.VIPs)), "origins": slices.Collect(maps.Keys(cfg.Origins)), "sites": slices.Collect(maps.Keys(cfg.Sites)),
	} {
		for _, name := range names {
			if !namePattern.MatchString(name) {
				d.report(join(section, name), "the name "+nameRule)
			}
		}
	}
}

func (d *decoder) validateVIPs(cfg *Config) {
	if len(cfg.VIPs) == 0 {
		d.report("vips", "is missing: the service addresses that clients use")
	}
	owner, announced := map[netip.Addr]string{}, map[netip.Prefix]string{}
	for _, name := range slices.Sorted(maps.Keys(cfg.VIPs)) {
		v, path := cfg.VIPs[name], join("vips", name)
		if v == nil {
			continue
		}
		for i, a := range v.Addresses {
			d.validateAddress(cfg, owner, a, name, fmt.Sprintf("%s.addresses[%d]", path, i))
		}
		if v.HTTPS == 0 && v.HTTP == 0 && len(v.Probes) == 0 && !d.bad[path+".probes"] {
			d.report(path, "has neither https, http nor probes: nothing would check it, and it would be announced whatever happens")
		}
		d.validateAnnounce(cfg, v, path)
		d.validateAnnouncedOnce(announced, v, name)
	}
}

func (d *decoder) validateAddress(cfg *Config, owner map[netip.Addr]string, a netip.Addr, vip, path string) {
	if !a.IsValid() {
		return
	}
	switch first, twice := owner[a]; {
	case twice && first == vip:
		d.report(path, fmt.Sprintf("%s is given twice", a))
	case twice:
		d.report(path, fmt.Sprintf("%s belongs to vips.%s already", a, first))
	case a == cfg.Node.Address && !a.IsLoopback():
		d.report(path, fmt.Sprintf("%s is node.address, which must be this node's alone", a))
	}
	owner[a] = vip
}

// validateAnnounce fills in the host routes, and checks what will be announced.
func (d *decoder) validateAnnounce(cfg *Config, v *VIP, path string) {
	where := "announce"
	if len(v.Announce) == 0 && !d.bad[path+".announce"] {
		where = "addresses"
		for _, a := range v.Addresses {
			if a.IsValid() {
				v.Announce = append(v.Announce, netip.PrefixFrom(a, a.BitLen()))
			}
		}
	}
	for i, p := range v.Announce {
		if problem := cfg.BGP.CheckPrefix(p); p.IsValid() && problem != "" {
			d.report(fmt.Sprintf("%s.%s[%d]", path, where, i), fmt.Sprintf("%s %s", p, problem))
		}
	}
	for i, a := range v.Addresses {
		covers := func(p netip.Prefix) bool { return p.Contains(a) }
		standsIn := cfg.BGP.Lab && a.IsLoopback() // for the address that a lab has no interface for
		if a.IsValid() && !standsIn && !slices.ContainsFunc(v.Announce, covers) {
			d.report(fmt.Sprintf("%s.addresses[%d]", path, i), fmt.Sprintf("%s is in no prefix of announce: its traffic would not come here", a))
		}
	}
}

// validateAnnouncedOnce reports a prefix that two VIPs announce, or one VIP twice: each VIP has a level of its own, and
// routers can hear only one of a prefix.
func (d *decoder) validateAnnouncedOnce(owner map[netip.Prefix]string, v *VIP, name string) {
	if d.positions[join("vips", name)+".announce"] == nil {
		return // host routes: the addresses are told apart already
	}
	for i, p := range v.Announce {
		if !p.IsValid() {
			continue
		}
		path := fmt.Sprintf("vips.%s.announce[%d]", name, i)
		switch first, twice := owner[p]; {
		case twice && first == name:
			d.report(path, fmt.Sprintf("%s is given twice", p))
		case twice:
			d.report(path, fmt.Sprintf("%s is announced for vips.%s already: which one's level would routers hear? Put the addresses into one VIP, or announce apart", p, first))
		}
		owner[p] = name
	}
}

func (d *decoder) validateDisk(cfg *Config) {
	if disk := cfg.Cache.Disk; disk != nil && !disk.Enabled() {
		d.report("cache.disk.path", "is missing: which directory?")
	}
}

func (d *decoder) validateSites(cfg *Config) {
	taken := map[string]map[string]string{} // VIP → host → site
	for vip := range cfg.VIPs {
		taken[vip] = map[string]string{}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Sites)) {
		s, path := cfg.Sites[name], join("sites", name)
		if s == nil {
			continue
		}
		d.validateOrigins(cfg, s, path)
		for i, vip := range s.VIPs {
			at := fmt.Sprintf("%s.vips[%d]", path, i)
			if slices.Contains(s.VIPs[:i], vip) {
				d.report(at, fmt.Sprintf("%q is given twice", vip))
			}
			d.validateVIPOf(cfg, vip, at)
		}
		for i, h := range s.Hosts {
			d.validateHost(cfg, s, taken, name, strings.ToLower(h), fmt.Sprintf("%s.hosts[%d]", path, i))
		}
	}
}

func (d *decoder) validateOrigins(cfg *Config, s *proxy.SiteOptions, path string) {
	if s.Origin == "" {
		d.report(path+".origin", "is missing: the name of an entry of origins")
	} else {
		refer(d, s.Origin, path+".origin", "origins", cfg.Origins)
	}
	for prefix, p := range s.Paths {
		if p.Origin != "" {
			refer(d, p.Origin, path+".paths."+prefix+".origin", "origins", cfg.Origins)
		}
	}
}

// maxHints bounds the search for what was meant, which takes all names for each that is wrong.
const maxHints = 50

// refer reports a reference to nothing.
func refer[T any](d *decoder, name, path, section string, known map[string]T) {
	if _, ok := known[name]; ok || d.bad[section] || d.full() {
		return
	}
	hint := ""
	if len(d.mistakes) < maxHints {
		hint = didYouMean(name, slices.Collect(maps.Keys(known)))
	}
	d.report(path, fmt.Sprintf("%s has no %q%s", section, name, hint))
}

func (d *decoder) validateVIPOf(cfg *Config, vip, path string) {
	v := cfg.VIPs[vip]
	if v == nil {
		refer(d, vip, path, "vips", cfg.VIPs)
		return
	}
	if v.HTTPS == 0 && v.HTTP == 0 {
		d.report(path, fmt.Sprintf("vips.%s is not served: it has neither https nor http", vip))
	}
}

// validateHost reports a host that two sites have on one VIP: which would answer?
func (d *decoder) validateHost(cfg *Config, s *proxy.SiteOptions, taken map[string]map[string]string, site, host, path string) {
	for _, vip := range slices.Sorted(maps.Keys(cfg.VIPs)) {
		if len(s.VIPs) > 0 && !slices.Contains(s.VIPs, vip) {
			continue
		}
		if other, twice := taken[vip][host]; twice {
			where := "sites." + other
			if other == site {
				where = "this site"
			}
			d.report(path, fmt.Sprintf("%q is a host of %s already, on vips.%s", host, where, vip))
			return
		}
		taken[vip][host] = site
	}
}

func (d *decoder) validatePeers(cfg *Config) {
	if len(cfg.BGP.Peers) == 0 {
		return
	}
	if !cfg.Node.Address.IsValid() {
		d.report("node.address", "is missing: BGP and origins need this node's own unicast address, since answers to a VIP may go to another node")
	}
	for i, p := range cfg.BGP.Peers {
		if p.Address.IsLoopback() {
			continue // a lab has all on one host
		}
		path := fmt.Sprintf("bgp.peers[%d].address", i)
		if p.Address == cfg.Node.Address && p.Address.IsValid() {
			d.report(path, fmt.Sprintf("%s is node.address: a peer is a router, not this node", p.Address))
		}
		for _, name := range slices.Sorted(maps.Keys(cfg.VIPs)) {
			if v := cfg.VIPs[name]; v != nil && p.Address.IsValid() && slices.Contains(v.Addresses, p.Address) {
				d.report(path, fmt.Sprintf("%s is an address of vips.%s: a peer is a router, not this node", p.Address, name))
			}
		}
	}
}

// validateShed reports classes that no peer has, and lists that leave nobody: level 3 is never a withdrawal from all.
func (d *decoder) validateShed(cfg *Config) {
	if len(cfg.Routing.Shed) == 0 || d.bad["bgp.peers"] {
		return
	}
	known, stays := map[string]bool{}, false
	for _, p := range cfg.BGP.Peers {
		known[p.Class] = true
		stays = stays || !slices.Contains(cfg.Routing.Shed, p.Class)
	}
	delete(known, "")
	for i, class := range cfg.Routing.Shed {
		refer(d, class, fmt.Sprintf("routing.shed[%d]", i), "bgp.peers[].class", known)
	}
	if !stays {
		d.report("routing.shed", "has the classes of all peers: overload may not withdraw from all of them")
	}
}

// validateFleet reports others that are this node, and a node that the others can't reach.
func (d *decoder) validateFleet(cfg *Config) {
	d.validateJoin(cfg)
	if len(cfg.Fleet.Nodes)+len(cfg.Fleet.Join) > 0 && !cfg.Node.Address.IsValid() {
		d.report("node.address", "is missing: the other nodes see at it that this one serves")
	}
	for i, n := range cfg.Fleet.Nodes {
		if n.Name == cfg.Node.Name && n.Name != "" {
			d.report(fmt.Sprintf("fleet.nodes[%d].name", i), "is node.name: list the others alone")
		}
		if n.Address == cfg.Node.Address && n.Address.IsValid() && !n.Address.IsLoopback() {
			d.report(fmt.Sprintf("fleet.nodes[%d].address", i), "is node.address: list the others alone")
		}
	}
}

// validateSteering fills in the tunnel's address, and reports what steering lacks.
func (d *decoder) validateSteering(cfg *Config) {
	s := cfg.Fleet.Steering
	if s == nil {
		if cfg.Fleet.TCPRescue {
			d.report("fleet.tcp_rescue", "needs fleet.steering, through whose tunnel segments go")
		}
		return
	}
	if cfg.Fleet.SecretFile == "" {
		d.report("fleet.steering", "needs fleet.secret_file, from which the nodes' keys are derived: anyedge secret new makes it")
	}
	if s.Host == 0 && len(cfg.Fleet.Join) == 0 {
		d.report("fleet.steering.host", "is missing: a number, 1 to 65535, that no other node of the metro has; nodes with fleet.join settle theirs by themselves")
	}
	if s.Address.IsValid() {
		return
	}
	if s.Address = cfg.Node.Address; !s.Address.IsValid() {
		d.report("fleet.steering.address", "is missing, and so is node.address: where does the tunnel listen?")
	}
	for i, n := range s.Nodes {
		if s.Address.IsValid() && n.Address.IsValid() && n.Address.Is4() != s.Address.Is4() {
			d.report(fmt.Sprintf("fleet.steering.nodes[%d].address", i), fmt.Sprintf("must be of the same family as this node's, %v", s.Address))
		}
	}
}

// validateJoin reports what gossip can't do without.
func (d *decoder) validateJoin(cfg *Config) {
	if len(cfg.Fleet.Join) == 0 {
		return
	}
	if cfg.Fleet.SecretFile == "" {
		d.report("fleet.secret_file", "is missing: nodes that join each other share one, made by anyedge secret new")
	}
	if cfg.Fleet.Interval > 2*time.Second {
		d.report("fleet.interval", "must be at most 2s with join: of two words in a row one may be lost")
	}
}

// validateACME reports challenges that nobody could answer.
func (d *decoder) validateACME(cfg *Config) {
	if cfg.TLS.ACME == nil || d.bad["vips"] {
		return
	}
	if cfg.TLS.ACME.Redis != nil && cfg.Fleet.SecretFile == "" {
		d.report("tls.acme.redis", "needs fleet.secret_file, under which what the nodes share is encrypted: anyedge secret new makes it")
	}
	var plain, secure bool
	for _, v := range cfg.VIPs {
		plain, secure = plain || v != nil && v.HTTP != 0, secure || v != nil && v.HTTPS != 0
	}
	for i, c := range cfg.TLS.ACME.Challenges {
		at := fmt.Sprintf("tls.acme.challenges[%d]", i)
		if c == acme.HTTP01 && !plain {
			d.report(at, "http-01 comes to port 80, and no VIP has http")
		}
		if c == acme.TLSALPN01 && !secure {
			d.report(at, "tls-alpn-01 comes to port 443, and no VIP has https")
		}
	}
}

// Warnings says what is no mistake, yet surely not meant.
func (cfg *Config) Warnings() []string {
	var list []string
	if cfg.Cache.Disk != nil && len(cfg.Fleet.Join) > 0 && cfg.Fleet.StateFile == "" {
		list = append(list, "fleet.state_file is missing: a restart forgets which purges it has missed, so all that is on disk is purged at each start")
	}
	if a := cfg.TLS.ACME; a != nil && a.Redis != nil && len(cfg.Fleet.Join) == 0 && cfg.challenged() {
		list = append(list, "tls.acme.redis shares certificates and no challenges: without fleet.join an authority that reaches another node than the one that asked isn't answered")
	}
	if len(cfg.BGP.Peers) == 0 {
		return append(list, "bgp.peers is empty: nothing is announced")
	}
	return append(list, cfg.unheard()...)
}

// challenged tells whether an authority's packets have to reach a node for some name.
func (cfg *Config) challenged() bool {
	names := cfg.TLS.ACME.Hosts
	if len(names) == 0 {
		for _, s := range cfg.Sites {
			names = append(names, s.Hosts...)
		}
	}
	return slices.ContainsFunc(names, func(name string) bool { return !cfg.TLS.ACME.ByDNS(name) })
}

// unheard are the prefixes that no peer would hear.
func (cfg *Config) unheard() (list []string) {
	var heard [2]bool // IPv4, IPv6
	for _, p := range cfg.BGP.Peers {
		heard[family(p.Address)] = true
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.VIPs)) {
		for _, p := range cfg.VIPs[name].Announce {
			if f := family(p.Addr()); !heard[f] {
				list = append(list, fmt.Sprintf("vips.%s.announce: %s is heard by nobody: a session carries the family of its own addresses, and no peer has an %s address",
					name, p, [2]string{"IPv4", "IPv6"}[f]))
			}
		}
	}
	return list
}

func family(a netip.Addr) int {
	if a.Is4() || a.Is4In6() {
		return 0
	}
	return 1
}

// validateCertificates reports VIPs that serve HTTPS with nothing to serve it by.
func (d *decoder) validateCertificates(cfg *Config) {
	if len(cfg.TLS.Certificates) > 0 || d.positions["tls.acme"] != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.VIPs)) {
		if v := cfg.VIPs[name]; v != nil && v.HTTPS != 0 {
			d.report("tls.certificates", fmt.Sprintf("is missing: vips.%s serves https, which needs a certificate, or tls.acme to obtain one", name))
			return
		}
	}
}
