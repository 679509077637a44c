package steer_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/anyedge/anyedge/routing/steer"
)

var (
	root = []byte("a secret that all nodes have")
	self = steer.ServerID{NodeID: steer.NodeID{Metro: 0x0102, Host: 0x0304}, Generation: 5, Worker: 6}
)

func keys(tb testing.TB, root []byte, index uint8) steer.Keys {
	tb.Helper()
	return steer.DeriveKeys(root, index)
}

func reader(tb testing.TB, k steer.Keys, id steer.ServerID) *steer.Reader {
	tb.Helper()
	r, err := steer.NewReader(k, id)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// short is a packet with a short header and n octets in all.
func short(cid []byte, n int) []byte {
	b := append([]byte{0x41}, cid...)
	return append(b, make([]byte, max(n-len(b), 0))...)[:n]
}

// long is a packet with a long header.
func long(first byte, cid []byte) []byte {
	b := append([]byte{first, 0, 0, 0, 1, byte(len(cid))}, cid...)
	return append(b, make([]byte, 1200-len(b))...)
}

func TestClassify(t *testing.T) {
	ours := reader(t, keys(t, root, 1), self)
	others := reader(t, keys(t, []byte("the secret of another fleet"), 1), self)
	rotated := reader(t, keys(t, root, 2), self)
	cid := ours.Make()
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"nothing", nil, "too short"},
		{"short header", short(cid, 1200), "routed"},
		{"the shortest", short(cid, 38), "routed"},
		{"shorter", short(cid, 37), "too short"},
		{"a stateless reset's length", short(cid, 21), "too short"},
		{"one octet", []byte{0x40}, "too short"},
		{"without the fixed bit", append([]byte{0x01}, short(cid, 1200)[1:]...), "not QUIC"},
		{"of another fleet", short(others.Make(), 1200), "unroutable"},
		{"of a configuration that isn't in force", short(rotated.Make(), 1200), "unroutable"},
		{"of no configuration", short(bytes.Repeat([]byte{0xff}, 17), 1200), "unroutable"},
		{"spoiled", short(append([]byte{cid[0], cid[1] ^ 1}, cid[2:]...), 1200), "unroutable"},
		{"an Initial, by the client's connection ID", long(0xc0, []byte("8 octets")), "initial"},
		{"one of the same length as ours", long(0xc0, []byte("of seventeen octt")), "initial"},
		{"an Initial after a Retry", long(0xc0, cid), "routed"},
		{"0-RTT", long(0xd0, []byte("8 octets")), "initial"},
		{"Handshake", long(0xe0, cid), "routed"},
		{"a long header without the fixed bit", long(0x80, cid), "routed"},
		{"an empty connection ID", long(0xc0, nil), "initial"},
		{"a long header that ends in the connection ID", long(0xc0, cid)[:6+16], "too short"},
		{"before the source's length", long(0xc0, cid)[:6+17], "too short"},
		{"in the version", long(0xc0, cid)[:4], "too short"},
		{"a connection ID of 255", []byte{0xc0, 0, 0, 0, 1, 255, 0}, "too short"},
	} {
		got, id := ours.Classify(c.b)
		want := steer.ServerID{}
		if c.want == "routed" {
			want = self
		}
		if got != c.want || id != want {
			t.Errorf("%s: %s %v, want %s %v", c.name, got, id, c.want, want)
		}
	}
}

// While keys are replaced, connection IDs of both are read.
func TestRotation(t *testing.T) {
	older, newer := keys(t, root, 1), keys(t, []byte("the secret that follows"), 2)
	was, is := reader(t, older, self), reader(t, newer, self)
	both := steer.Keys{CID: map[uint8][]byte{1: older.CID[1], 2: newer.CID[2]}, CIDConfig: 1}
	r := reader(t, both, self)
	for name, b := range map[string][]byte{"old": was.Make(), "new": is.Make(), "its own": r.Make()} {
		if got, id := r.Classify(short(b, 100)); got != "routed" || id != self {
			t.Errorf("%s: %s %v", name, got, id)
		}
	}
	if got, _ := was.Classify(short(r.Make(), 100)); got != "routed" {
		t.Errorf("those who only know the old key: %s", got)
	}
}

func TestKeysAreChecked(t *testing.T) {
	for want, do := range map[string]func() error{
		"no key for it": func() error {
			k := keys(t, root, 1)
			k.CIDConfig = 2
			_, err := steer.NewReader(k, self)
			return err
		},
		"must have 16": func() error {
			_, err := steer.NewReader(steer.Keys{CID: map[uint8][]byte{0: nil}}, self)
			return err
		},
		"must be 0 to 6": func() error {
			_, err := steer.NewReader(steer.Keys{CID: map[uint8][]byte{7: make([]byte, 16)}}, self)
			return err
		},
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestVerdictNames(t *testing.T) {
	seen := map[string]bool{}
	for v := steer.Own; v.String() != "unknown"; v++ {
		if v.String() == "" || seen[v.String()] {
			t.Errorf("verdict %d is %q", v, v)
		}
		seen[v.String()] = true
	}
}

// Whatever a client sends, no owner comes of it but by a connection ID of the fleet's. (Some random one passes in 2^16;
// the fuzzer is held to the ones that are ours by construction.)
func FuzzClassify(f *testing.F) {
	r := reader(f, keys(f, root, 1), self)
	f.Add(short(r.Make(), 100))
	f.Add(long(0xc0, r.Make()))
	f.Add(long(0xc0, []byte("8 octets")))
	f.Add([]byte{0x40})
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, id := r.Classify(b)
		if kind != "routed" && id != (steer.ServerID{}) {
			t.Fatalf("%x: %s, and yet %v", b, kind, id)
		}
		if kind == "routed" && len(b) < 6+17 {
			t.Fatalf("%x: too short for a connection ID", b)
		}
	})
}

func TestClassifyAllocatesNothing(t *testing.T) {
	r := reader(t, keys(t, root, 1), self)
	for name, b := range map[string][]byte{"short": short(r.Make(), 1200), "long": long(0xe0, r.Make()), "initial": long(0xc0, []byte("8 octets"))} {
		if n := testing.AllocsPerRun(100, func() { r.Classify(b) }); n >= 1 { // under the race detector a pool forgets now and then
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkClassify(b *testing.B) {
	r := reader(b, keys(b, root, 1), self)
	for _, c := range []struct {
		name string
		b    []byte
	}{{"short", short(r.Make(), 1200)}, {"long", long(0xe0, r.Make())}, {"initial", long(0xc0, []byte("8 octets"))}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Classify(c.b)
			}
		})
	}
}
