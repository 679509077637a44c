package bgp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/bfd"
)

// Options configures the speaker. It is the `bgp` key of the configuration.
type Options struct {
	ASN      uint32     `yaml:"asn"`
	RouterID netip.Addr `yaml:"router_id"` // IPv4 notation (RFC 4271 §4.2)
	Peers    []Peer     `yaml:"peers"`
	// Levels says with which path attributes a VIP is announced at each level; 4 is withdrawn, so it has none.
	// A level that isn't given is announced like the one below it.
	Levels map[int]Attributes `yaml:"levels"`
	// HoldTime is how long a silent session lives (RFC 4271 §4.2): a frozen node attracts traffic that long.
	// KEEPALIVEs go out three times in it. The OPEN carries it, so that a change begins every session anew.
	HoldTime time.Duration `yaml:"hold_time"`
	// ConfirmWithdraw lists the prefixes whose announcement a reload may end although it isn't drained.
	ConfirmWithdraw []netip.Prefix `yaml:"confirm_withdraw"`
	// Informational adds large communities that say why, RFC 8195: ASN:9001:CODE of the reason and ASN:9002:LEVEL.
	Informational bool `yaml:"informational"`
	// RPKI validates what is announced by a local file.
	RPKI RPKI `yaml:"rpki"`
	// Lab allows prefixes that no router of the public net would take: private, longer than /24 and /48, loopback.
	// To iBGP peers and private AS numbers (RFC 6996) only loopback needs it.
	Lab bool `yaml:"lab"`
}

// RPKI says by what, and as whose, the announced prefixes are validated (RFC 6811).
type RPKI struct {
	VRPsFile  string `yaml:"vrps_file"`  // VRPs as a relying party writes them: JSON or CSV; none: no validation
	OriginASN uint32 `yaml:"origin_asn"` // that the net sees as the origin; default our own
}

// Peer is a router that the VIPs are announced to.
type Peer struct {
	Name         string     `yaml:"name"`
	Address      netip.Addr `yaml:"address"` // its family is the one that the session carries routes of
	Port         uint16     `yaml:"port"`    // default 179
	ASN          uint32     `yaml:"asn"`     // our own for iBGP
	LocalAddress netip.Addr `yaml:"local_address"`
	PasswordFile string     `yaml:"password_file"` // TCP MD5 (RFC 2385)
	// TTLSecurity is the number of hops to the peer for GTSM (RFC 5082): 1 for a direct neighbour; 0 turns it off.
	TTLSecurity uint8 `yaml:"ttl_security"`
	// Multihop is the TTL for an eBGP peer that is not a direct neighbour; 0 means direct.
	Multihop uint8 `yaml:"multihop"`
	// NextHop replaces the session's local address as the routes' next hop.
	NextHop netip.Addr `yaml:"next_hop"`
	// Class groups peers for `routing.shed`: transit, peering, whatever tells them apart.
	Class string `yaml:"class"`
	// Communities are added to all that this peer gets, as Attributes' are: no-export keeps a route within its AS.
	Communities []string `yaml:"communities"`
	// Blackhole lets it have routes to single addresses that it shall drop, RFC 7999; it must have agreed to that.
	Blackhole bool `yaml:"blackhole"`
	// BFD notices a dead router, or a dead way to it, long before the hold time has passed. It is multihop (RFC 5883) to
	// a peer that is no direct neighbour by Multihop or TTLSecurity.
	BFD bfd.Options `yaml:"bfd"`
}

// Attributes are what a level adds to an announcement.
type Attributes struct {
	Prepend          uint8    `yaml:"prepend"`           // our ASN that many more times; eBGP
	MED              uint32   `yaml:"med"`               // MULTI_EXIT_DISC; eBGP and iBGP
	LocalPref        *uint32  `yaml:"local_pref"`        // iBGP
	Communities      []string `yaml:"communities"`       // "ASN:VALUE", "no-export", "a:b:c" for large ones
	GracefulShutdown bool     `yaml:"graceful_shutdown"` // community 65535:0 (RFC 8326)
}

// SetDefaults sets the values that serve when the configuration is silent.
func (o *Options) SetDefaults() {
	zero, fifty := uint32(0), uint32(50)
	*o = Options{
		HoldTime: 9 * time.Second,
		Levels: map[int]Attributes{
			0: {},
			1: {Prepend: 1, LocalPref: &fifty},
			2: {Prepend: 3, MED: 65535, GracefulShutdown: true, LocalPref: &zero},
		},
	}
}

// defaultPort is where BGP speakers listen.
const defaultPort = 179

// SetDefaults sets the port that peers listen on, and BFD's timers.
func (p *Peer) SetDefaults() {
	p.Port = defaultPort
	p.BFD.SetDefaults()
}

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	o.checkLevels(report)
	if len(o.Peers) == 0 {
		return
	}
	if o.ASN == 0 {
		report("asn", "is missing: the number of our autonomous system, for example 64512")
	}
	if !o.RouterID.Is4() || o.RouterID.IsUnspecified() {
		report("router_id", "is missing or not an IPv4 address: BGP identifiers are 4 octets (RFC 4271)")
	}
	if o.RPKI.VRPsFile != "" && o.RPKI.OriginASN == 0 && privateAS(o.ASN) {
		report("rpki.origin_asn", "is missing: asn is private, so the net sees the routes with another origin")
	}
	if o.HoldTime < 3*time.Second || o.HoldTime > 180*time.Second || o.HoldTime%time.Second != 0 {
		report("hold_time", "must be whole seconds between 3s and 180s (RFC 4271: at least 3s)")
	}
	for i := range o.Peers {
		o.Peers[i].check(func(key, problem string) { report(fmt.Sprintf("peers[%d].%s", i, key), problem) })
	}
	o.checkTwice(report)
	if n := len(classes(o.Peers)); n > maxClasses {
		report("peers", fmt.Sprintf("have %d classes: at most %d", n, maxClasses))
	}
}

func (o *Options) checkLevels(report func(key, problem string)) {
	newLadder(o.Levels, report)
	for _, l := range slices.Sorted(maps.Keys(o.Levels)) {
		if l < 0 || l >= int(routing.Withdrawn) {
			report(fmt.Sprintf("levels.%d", l), "only levels 0 to 3 are announced; 4 is withdrawn")
		}
	}
}

// checkTwice reports peers that another one shadows: sessions are told apart by address, reports by name.
func (o *Options) checkTwice(report func(key, problem string)) {
	names, addresses := map[string]int{}, map[netip.Addr]int{}
	for i := range o.Peers {
		p := &o.Peers[i]
		if first, twice := names[p.Name]; twice && p.Name != "" {
			report(fmt.Sprintf("peers[%d].name", i), fmt.Sprintf("%q is the name of peers[%d] too", p.Name, first))
		} else {
			names[p.Name] = i
		}
		if first, twice := addresses[p.Address]; twice && p.Address.IsValid() {
			report(fmt.Sprintf("peers[%d].address", i), fmt.Sprintf("%s is the address of peers[%d] too", p.Address, first))
		} else {
			addresses[p.Address] = i
		}
	}
}

func (p *Peer) check(report func(key, problem string)) {
	if p.Name == "" {
		report("name", "is missing: what to call the router in status and events")
	}
	if !p.Address.IsValid() || p.Address.IsUnspecified() || p.Address.IsMulticast() {
		report("address", "is missing: the router's address")
	}
	if p.ASN == 0 {
		report("asn", "is missing: the router's autonomous system; our own number makes the session iBGP")
	}
	if p.TTLSecurity > 0 && p.Multihop > 0 {
		report("ttl_security", "can't be combined with multihop: both set the TTL")
	}
	readCommunities(p.Communities, report)
	p.BFD.Check(func(key, problem string) { report("bfd."+key, problem) })
	p.checkFamily("local_address", p.LocalAddress, report)
	p.checkFamily("next_hop", p.NextHop, report)
}

// checkFamily reports an address that a session with p can't use, since it carries the family of its transport.
func (p *Peer) checkFamily(key string, a netip.Addr, report func(key, problem string)) {
	if a.IsValid() && p.Address.IsValid() && a.Is4() != p.Address.Is4() {
		report(key, "is of another address family than address")
	}
}
