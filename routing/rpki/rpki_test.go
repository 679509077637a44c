package rpki_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/routing/rpki"
)

var (
	v4 = netip.MustParsePrefix("198.51.100.0/24")
	v6 = netip.MustParsePrefix("2001:db8:100::/48")
)

const inJSON = `{"metadata": {"generated": 1, "roas": 2}, "roas": [
 {"asn": "AS64496", "prefix": "198.51.100.0/22", "maxLength": 24, "ta": "ripe"},
 {"asn": 64497, "prefix": "2001:db8::/32"},
 {"asn": "AS64498", "prefix": "203.0.113.0/24", "maxLength": 24}
], "bgpsec_keys": []}`

const inCSV = `ASN,IP Prefix,Max Length,Trust Anchor,Expires
AS64496,198.51.100.0/22,24,ripe,1700000000
64497,2001:db8::/32,,ripe,1700000000
AS64498,203.0.113.0/24,24,arin,1700000000
`

func TestRead(t *testing.T) {
	for name, text := range map[string]string{"JSON": inJSON, "CSV": inCSV, "white space first": "\n \t" + inJSON} {
		got, err := rpki.Read(strings.NewReader(text), []netip.Prefix{v4, v6})
		const want = "[198.51.100.0/22 up to /24 by AS64496 2001:db8::/32 up to /32 by AS64497]"
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "EOF"},
		{"{}", "the file has none"},
		{"ASN,IP Prefix,Max Length\n", "the file has none"},
		{`{"roas": 5}`, "not an array"},
		{`{"roas": [{"asn": 1, "prefix": "198.51.100.0/24"}`, "entry 2"},
		{`{"roas": [{"asn": "ASx", "prefix": "198.51.100.0/24"}]}`, `entry 1: "ASx" is not an AS number`},
		{`{"roas": [{"asn": 4294967296, "prefix": "198.51.100.0/24"}]}`, "not an AS number"},
		{`{"roas": [{"asn": 1, "prefix": "198.51.100.0"}]}`, "no '/'"},
		{`{"roas": [{"asn": 1, "prefix": "198.51.100.0/24", "maxLength": 23}]}`, "a max length of 23 is none"},
		{`{"roas": [{"asn": 1, "prefix": "198.51.100.0/24", "maxLength": 33}]}`, "a max length of 33 is none"},
		{"prefix,as\n", `neither JSON nor CSV with a column "asn"`},
		{"asn,prefix\n", `neither JSON nor CSV with a column "ip prefix"`},
		{"ASN,IP Prefix,Max Length\n1,198.51.100.0/24\n", "too few columns"},
		{"ASN,IP Prefix,Max Length\n1,198.51.100.0/24,long\n", `"long" is not a length`},
	} {
		if got, err := rpki.Read(strings.NewReader(c.text), []netip.Prefix{v4}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, %v; want %q", c.text, got, err, c.want)
		}
	}
}

// The cases of RFC 6811 §2: covered or not, matched or not, by whom.
func TestValidate(t *testing.T) {
	at := func(s string) netip.Prefix { return netip.MustParsePrefix(s) }
	vrps := rpki.VRPs{
		{Prefix: at("198.51.100.0/22"), MaxLength: 23, ASN: 64496},
		{Prefix: at("198.51.100.0/24"), MaxLength: 24, ASN: 64497},
		{Prefix: at("203.0.113.0/24"), MaxLength: 24, ASN: 0},
		{Prefix: at("2001:db8::/32"), MaxLength: 48, ASN: 64496},
	}
	for _, c := range []struct {
		prefix   string
		origin   uint32
		want     rpki.State
		covering int
	}{
		{"198.51.100.0/22", 64496, rpki.Valid, 1},
		{"198.51.100.0/23", 64496, rpki.Valid, 1},
		{"198.51.100.0/24", 64496, rpki.Invalid, 2}, // too long for its own, another's
		{"198.51.100.0/24", 64497, rpki.Valid, 2},
		{"198.51.100.0/25", 64497, rpki.Invalid, 2},
		{"198.51.96.0/21", 64496, rpki.NotFound, 0}, // shorter than any
		{"192.0.2.0/24", 64496, rpki.NotFound, 0},
		{"203.0.113.0/24", 64496, rpki.Invalid, 1},
		{"203.0.113.0/24", 0, rpki.Invalid, 1}, // AS 0 matches nothing
		{"2001:db8:100::/48", 64496, rpki.Valid, 1},
		{"2001:db8:100::/48", 64497, rpki.Invalid, 1},
	} {
		got, covering := vrps.Validate(at(c.prefix), c.origin)
		if got != c.want || len(covering) != c.covering {
			t.Errorf("%s by AS%d: %s, %v; want %s", c.prefix, c.origin, got, covering, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(inJSON)
	f.Add(inCSV)
	f.Add(`{"roas": [{}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		vrps, err := rpki.Read(strings.NewReader(text), []netip.Prefix{v4, v6})
		if err != nil && vrps != nil {
			t.Errorf("an error and %v", vrps)
		}
		for _, v := range vrps {
			if !v.Prefix.Overlaps(v4) && !v.Prefix.Overlaps(v6) || v.MaxLength < v.Prefix.Bits() {
				t.Errorf("kept %s", v)
			}
		}
	})
}
