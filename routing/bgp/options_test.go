package bgp_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing/bgp"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// good is a configuration without a mistake.
func good() bgp.Options {
	return options(
		bgp.Peer{Name: "a", Address: addr("192.0.2.1"), Port: 179, ASN: routerAS},
		bgp.Peer{Name: "b", Address: addr("2001:db8::1"), Port: 179, ASN: ownAS, LocalAddress: addr("2001:db8::2"), NextHop: addr("2001:db8::3"), TTLSecurity: 1},
	)
}

func check(o bgp.Options) []string {
	var got []string
	o.Check(func(key, problem string) { got = append(got, key+": "+problem) })
	return got
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		mistake string
		make    func(*bgp.Options)
		want    []string // what each report begins with
	}{
		{"none", func(*bgp.Options) {}, nil},
		{"no peers: nothing else matters", func(o *bgp.Options) { *o = bgp.Options{} }, nil},
		{"no AS", func(o *bgp.Options) { o.ASN = 0 }, []string{"asn: is missing"}},
		{"no router ID", func(o *bgp.Options) { o.RouterID = netip.Addr{} }, []string{"router_id: is missing"}},
		{"router ID of IPv6", func(o *bgp.Options) { o.RouterID = addr("2001:db8::1") }, []string{"router_id: is missing or not an IPv4"}},
		{"router ID 0.0.0.0", func(o *bgp.Options) { o.RouterID = addr("0.0.0.0") }, []string{"router_id: "}},
		{"hold time too short", func(o *bgp.Options) { o.HoldTime = 2 * time.Second }, []string{"hold_time: must be"}},
		{"hold time too long", func(o *bgp.Options) { o.HoldTime = time.Hour }, []string{"hold_time: must be"}},
		{"hold time of half seconds", func(o *bgp.Options) { o.HoldTime = 4500 * time.Millisecond }, []string{"hold_time: must be"}},
		{"a name twice", func(o *bgp.Options) { o.Peers[1].Name = "a" }, []string{`peers[1].name: "a" is the name of peers[0] too`}},
		{"an address twice", func(o *bgp.Options) {
			o.Peers = append(o.Peers, bgp.Peer{Name: "c", Address: addr("192.0.2.1"), ASN: 1})
		}, []string{"peers[2].address: 192.0.2.1 is the address of peers[0] too"}},
		{"an empty peer", func(o *bgp.Options) { o.Peers[0] = bgp.Peer{} }, []string{"peers[0].name: is missing", "peers[0].address: is missing", "peers[0].asn: is missing"}},
		{"two TTLs", func(o *bgp.Options) { o.Peers[1].Multihop = 2 }, []string{"peers[1].ttl_security: can't be combined"}},
		{"local address of the other family", func(o *bgp.Options) { o.Peers[0].LocalAddress = addr("2001:db8::9") }, []string{"peers[0].local_address: is of another"}},
		{"next hop of the other family", func(o *bgp.Options) { o.Peers[1].NextHop = addr("192.0.2.9") }, []string{"peers[1].next_hop: is of another"}},
		{"a level that isn't announced", func(o *bgp.Options) { o.Levels[4] = bgp.Attributes{} }, []string{"levels.4: only levels 0 to 3"}},
		{"communities", func(o *bgp.Options) {
			o.Levels = map[int]bgp.Attributes{1: {Communities: []string{"64512:1", "64512:65536"}}, 3: {Communities: []string{"no-exprot"}}}
		}, []string{"levels.1.communities[1]: \"64512:65536\"", "levels.3.communities[0]: \"no-exprot\" is not a community"}},
		{"communities, without peers", func(o *bgp.Options) {
			*o = bgp.Options{Levels: map[int]bgp.Attributes{0: {Communities: []string{""}}}}
		}, []string{"levels.0.communities[0]: \"\""}},
		{"prepends", func(o *bgp.Options) { o.Levels[2] = bgp.Attributes{Prepend: 11} }, []string{"levels.2.prepend: must be at most 10"}},
	} {
		t.Run(c.mistake, func(t *testing.T) {
			o := good()
			c.make(&o)
			got := check(o)
			if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// New finds what Check finds, and what it takes to read files and to see the prefixes, all at once.
func TestNewJoinsMistakes(t *testing.T) {
	o := good()
	o.ASN = 0
	o.Peers[0].PasswordFile = "/nowhere/bgp.pw"
	_, err := bgp.New(o, []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, nil, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"bgp.asn: is missing", "bgp.peers[a].password_file /nowhere/bgp.pw: no such file or directory", "announce 0.0.0.0/0: is the default route",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nmust say %q", err, want)
		}
	}
}

func TestPassword(t *testing.T) {
	for _, c := range []struct{ content, want, problem string }{
		{"s3cret\n", "s3cret", ""},
		{"s3cret", "s3cret", ""},
		{"with blanks \r\n", "with blanks ", ""},
		{strings.Repeat("x", 80), strings.Repeat("x", 80), ""},
		{strings.Repeat("x", 81), "", "81 octets are too long"},
		{"\n", "", "is empty"},
		{"", "", "is empty"},
		{"one\ntwo\n", "", "must hold a single line"},
	} {
		file := passwordFile(t, c.content)
		got, err := bgp.ReadPassword(file)
		if got != c.want || (err == nil) != (c.problem == "") {
			t.Errorf("%q: %q, %v", c.content, got, err)
		}
		for _, want := range []string{file, c.problem} {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v must say %q", c.content, err, want)
			}
		}
	}
	if _, err := bgp.ReadPassword(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: %v", err)
	}
}

func TestCheckPrefix(t *testing.T) {
	for _, c := range []struct {
		prefix      string
		inside, lab bool
		problem     string // "" if it may be announced
	}{
		{"198.51.100.0/24", false, false, ""},
		{"2001:db8::/48", false, false, ""},
		{"198.51.100.0/25", false, false, "is longer than"},
		{"198.51.100.1/32", true, false, ""},
		{"198.51.100.1/32", false, true, ""},
		{"2001:db8::/49", false, false, "is longer than"},
		{"2001:db8::1/128", true, false, ""},
		{"10.0.0.0/8", false, false, "is private"},
		{"fd00::/48", false, false, "is private"},
		{"100.64.0.0/24", false, false, "is private"},
		{"10.1.0.0/24", true, false, ""},
		{"127.0.0.0/24", true, false, "is loopback"},
		{"127.0.0.0/24", false, true, ""},
		{"198.18.0.0/24", false, false, "is private or reserved"},
		{"0.0.0.0/7", true, true, "is shorter than"},
		{"2000::/15", true, true, "is shorter than"},
		{"0.0.0.0/0", true, true, "is the default route"},
		{"::/0", true, true, "is the default route"},
		{"198.51.100.1/24", true, true, "has bits set"},
		{"224.0.0.0/24", true, true, "is not unicast"},
		{"ff02::/48", true, true, "is not unicast"},
		{"169.254.0.0/24", true, true, "is not unicast"},
		{"fe80::/64", true, true, "is not unicast"},
		{"::ffff:198.51.100.0/120", true, true, "is an IPv4 address in IPv6"},
	} {
		got := bgp.CheckPrefix(netip.MustParsePrefix(c.prefix), c.inside, c.lab)
		if (got == "") != (c.problem == "") || !strings.HasPrefix(got, c.problem) {
			t.Errorf("%s inside=%t lab=%t: %q, want %q", c.prefix, c.inside, c.lab, got, c.problem)
		}
	}
	if bgp.CheckPrefix(netip.Prefix{}, true, true) == "" {
		t.Error("the zero prefix may not be announced")
	}
}

// Whom a host route or a private address may be announced to depends on the AS numbers: ours and the peers'.
func TestInside(t *testing.T) {
	const publicAS = 64500 // of the documentation's, which stand for public ones
	host, private := netip.MustParsePrefix("198.51.100.1/32"), netip.MustParsePrefix("10.1.0.0/24")
	for _, c := range []struct {
		own, peer     uint32
		host, private bool
	}{
		{publicAS, publicAS, true, true}, // iBGP
		{publicAS, 65001, true, true},
		{publicAS, 4200000000, true, true},
		{publicAS, routerAS, false, false},
		{publicAS, 3320, false, false},
		{65001, routerAS, true, false}, // the router announces what covers the host route
		{65001, 65002, true, true},
	} {
		o := options(bgp.Peer{Name: "a", Address: addr("192.0.2.1"), ASN: c.peer})
		o.ASN = c.own
		if _, err := bgp.New(o, []netip.Prefix{host}, nil, nil); (err == nil) != c.host {
			t.Errorf("a host route from AS %d to AS %d: %v", c.own, c.peer, err)
		}
		if problem := o.CheckPrefix(private); (problem == "") != c.private {
			t.Errorf("a private prefix from AS %d to AS %d: %q", c.own, c.peer, problem)
		}
	}
	if problem := (&bgp.Options{}).CheckPrefix(private); problem != "" {
		t.Errorf("without peers: %q", problem)
	}
}

func ExampleOptions_Check() {
	o := good()
	o.Peers[0].ASN = 0
	o.Check(func(key, problem string) { fmt.Printf("bgp.%s: %s\n", key, problem) })
	// Output: bgp.peers[0].asn: is missing: the router's autonomous system; our own number makes the session iBGP
}
