package lab

import (
	"net/netip"
	"os"
	"reflect"
	"testing"
)

func TestParseBIRD(t *testing.T) {
	want := []Path{
		{
			From: netip.MustParseAddr("10.99.2.2"), Best: true, ASPath: []uint32{64502, 64512}, LocalPref: 100,
		},
		{
			From: netip.MustParseAddr("10.99.4.2"), ASPath: []uint32{64512, 64512}, MED: 65535,
			Communities: []string{"65535:0", "64512:7"},
		},
	}
	got := parseBIRD(read(t, "testdata/bird-route.txt"))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got[0].GracefulShutdown() || !got[1].GracefulShutdown() {
		t.Error("GRACEFUL_SHUTDOWN is on the second path alone")
	}
	if none := parseBIRD("BIRD 2.0.12 ready.\nNetwork not found\n"); none != nil {
		t.Errorf("paths of a prefix that isn't there: %v", none)
	}
}

func TestParseFRR(t *testing.T) {
	want := []Path{
		{From: netip.MustParseAddr("10.99.2.1"), Best: true, ASPath: []uint32{64501, 64512}},
		{
			From: netip.MustParseAddr("10.99.7.2"), ASPath: []uint32{64512, 64512}, MED: 65535,
			Communities: []string{"65535:0"},
		},
	}
	got, err := parseFRR(read(t, "testdata/frr-prefix.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if none, err := parseFRR("{}"); err != nil || none != nil {
		t.Errorf("paths of a prefix that isn't there: %v, %v", none, err)
	}
	if _, err := parseFRR("% Unknown command"); err == nil {
		t.Error("no error for what isn't JSON")
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
