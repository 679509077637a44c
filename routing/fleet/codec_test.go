package fleet

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/anyedge/anyedge/routing"
)

func aRecord() *Record {
	return &Record{
		Version: "1.2.3", Metro: "ams", Started: time.Unix(1700000000, 5),
		Address: netip.MustParseAddr("192.0.2.11"), Tunnel: netip.MustParseAddrPort("[2001:db8::11]:7844"),
		Claim: Claim{ServerID{7, 9, 3}, true, time.Unix(1600000000, 0)},
		Report: routing.Report{
			Levels:  map[string]routing.Level{"www": routing.LightlyDepref, "dns": routing.Withdrawn},
			Failing: []string{"dns"},
			Origins: []string{"img", "shop"}, Critical: []string{"shop"}, Load: 2e9, Headroom: 0,
		},
		Verified: []string{"fra-1", "sin-1"},
		Purges:   []PurgeMark{{Stream{"ams-1", 1600000000000000000}, 3, 17, time.Unix(1700000000, 0)}},
	}
}

func TestRecordThereAndBack(t *testing.T) {
	for _, r := range []*Record{aRecord(), {Started: time.Unix(0, 0), Report: routing.Report{Levels: map[string]routing.Level{}, Load: -1, Headroom: -1}}} {
		got, err := ParseRecord(r.appendTo(nil))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%v:\n got %+v\nwant %+v", err, got, r)
		}
	}
	if n := len(aRecord().appendTo(nil)); n > 250 {
		t.Errorf("%d octets", n)
	}
}

// TestRecordCutOff: a record that was cut is refused, or is the one with fewer fields.
func TestRecordCutOff(t *testing.T) {
	whole := aRecord().appendTo(nil)
	good := 0
	for n := range whole {
		if _, err := ParseRecord(whole[:n]); err == nil {
			good++
		}
	}
	if good > 20 {
		t.Errorf("%d of %d beginnings are read", good, len(whole))
	}
}

func TestRecordRefuses(t *testing.T) {
	field := func(number uint64, value string) []byte {
		return appendField([]byte{recordFormat}, number, []byte(value))
	}
	many := []byte{recordFormat}
	for i := range maxElements + 1 {
		many = appendField(many, fieldVerified, fmt.Append(nil, i))
	}
	for _, c := range []struct {
		what, want string
		b          []byte
	}{
		{"nothing", "too early", nil},
		{"another format", "format 2", []byte{2}},
		{"an escape sequence", "is no name", field(fieldMetro, "\x1b[2J")},
		{"no UTF-8", "is no name", field(fieldVersion, "\xff")},
		{"a long name", "is no name", field(fieldMetro, strings.Repeat("x", 256))},
		{"a level beyond all", "level 5", field(fieldLevel, "\x05www")},
		{"a level of nothing", "too early", field(fieldLevel, "")},
		{"an origin of nothing", "too early", field(fieldOrigin, "")},
		{"an address of 5 octets", "no address", field(fieldAddress, "12345")},
		{"the address of nobody", "no address", field(fieldAddress, "\x00\x00\x00\x00")},
		{"a group's address", "no address", field(fieldAddress, "\xe0\x00\x00\x01")},
		{"a tunnel without a port", "too early", field(fieldTunnel, "1")},
		{"a short claim", "too early", field(fieldClaim, "123")},
		{"a short mark", "too early", field(fieldPurges, "123")},
		{"a number with something behind it", "too early", field(fieldLoad, "\x01\x01")},
		{"too many", "too many", many},
	} {
		if _, err := ParseRecord(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// TestLaterVersions: what a later version adds doesn't keep this one from reading the rest.
func TestLaterVersions(t *testing.T) {
	b := appendField(aRecord().appendTo(nil), 99, []byte("new"))
	if got, err := ParseRecord(b); err != nil || got.Metro != "ams" {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add(aRecord().appendTo(nil))
	f.Add([]byte{recordFormat})
	f.Add(appendField([]byte{recordFormat}, fieldClaim, bytes.Repeat([]byte{0xff}, 14)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRecord(b)
		if err != nil {
			return
		}
		again, err := ParseRecord(r.appendTo(nil))
		if err != nil {
			t.Fatalf("what was read can't be read again: %v", err)
		}
		if len(again.Report.Origins) != len(r.Report.Origins) || again.Claim != r.Claim || again.Address != r.Address {
			t.Errorf("%+v became %+v", r, again)
		}
	})
}

func TestCoarse(t *testing.T) {
	for v, want := range map[float64]float64{-1: -1, 0: 0, 1: 1, 1000: 992, 1023: 992, 1e9: 973078528, 1.01e9: 1006632960} {
		if got := coarse(v); got != want {
			t.Errorf("%g becomes %g, want %g", v, got, want)
		}
	}
}
