package quiclb_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/anyedge/anyedge/routing/quiclb"
)

const (
	key1 = "8f95f09245765f80256934e50c66207f"
	key2 = "fdf726a9893ec05c0632d3956680baf0"
)

// vectors are those of the draft (-21, appendix B and section 4.3.2), as far as they are right: its second one without a key
// has an odd number of digits, for which two of google/quiche stand here, and the fourth with a key has configuration 0.
var vectors = []struct {
	name                 string
	id                   uint8
	key, sid, nonce, cid string
}{
	{"plain", 0, "", "c4605e", "4504cc4f", "07c4605e4504cc4f"},
	{"plain, of quiche", 0, "", "ed793a", "8049718a", "07ed793a8049718a"},
	{"plain, longer, of quiche", 1, "", "ed793a51d49b8f5f", "ee15da27c4", "2ded793a51d49b8f5fee15da27c4"},
	{"four passes, odd", 0, key1, "ed793a", "ee080dbf", "0720b1d07b359d3c"},
	{"four passes, the server ID in both halves", 1, key1, "ed793a51d49b8f5fab65", "ee080dbf48", "2fcc381bc74cb4fbad2823a3d1f8fed2"},
	{"single pass", 2, key1, "ed793a51d49b8f5f", "ee080dbf48c0d1e5", "504dd2d05a7b0de9b2b9907afb5ecf8cc3"},
	{"four passes, even", 0, key1, "ed793a51d49b8f5fab", "ee080dbf48c0d1e55d", "125779c9cc86beb3a3a4a3ca96fce4bfe0cdbc"},
	{"the example", 0, key2, "31441a", "9c69c275", "0767947d29be054a"},
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func codec(tb testing.TB, c quiclb.Config) *quiclb.Codec {
	tb.Helper()
	made, err := quiclb.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return made
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		sid, nonce, cid := unhex(t, v.sid), unhex(t, v.nonce), unhex(t, v.cid)
		c := codec(t, quiclb.Config{ID: v.id, ServerIDLen: len(sid), NonceLen: len(nonce), Key: unhex(t, v.key), TellLength: true})
		if got := c.Append([]byte("x"), sid, nonce, 0xff); !bytes.Equal(got[1:], cid) || got[0] != 'x' || c.Len() != len(cid) {
			t.Errorf("%s: encoded %x, want %x", v.name, got[1:], cid)
		}
		if got := c.ServerID(nil, cid); !bytes.Equal(got, sid) {
			t.Errorf("%s: server ID %x, want %x", v.name, got, sid)
		}
		if got := c.ServerID(make([]byte, 0, 16), cid); !bytes.Equal(got, sid) {
			t.Errorf("%s: server ID %x with room for a block, want %x", v.name, got, sid)
		}
		if s, n := c.Decode(cid); !bytes.Equal(s, sid) || !bytes.Equal(n, nonce) {
			t.Errorf("%s: decoded %x %x", v.name, s, n)
		}
		if got := c.ServerID(nil, append(cid, "what the server adds"...)); !bytes.Equal(got, sid) {
			t.Errorf("%s: with more behind it: %x", v.name, got)
		}
		for n := range len(cid) {
			if s, nonce := c.Decode(cid[:n]); c.ServerID(nil, cid[:n]) != nil || s != nil || nonce != nil {
				t.Errorf("%s: %d octets of it are decoded", v.name, n)
			}
		}
	}
}

// Every combination of lengths comes back, with and without a key, and no other configuration takes it.
func TestAllLengths(t *testing.T) {
	text := []byte("0123456789abcdefghij")
	for _, key := range [][]byte{nil, unhex(t, key1)} {
		for sid := 1; sid <= quiclb.MaxServerIDLen; sid++ {
			for nonce := quiclb.MinNonceLen; nonce <= quiclb.MaxNonceLen && sid+nonce < quiclb.MaxLen; nonce++ {
				c := codec(t, quiclb.Config{ID: 5, ServerIDLen: sid, NonceLen: nonce, Key: key})
				cid := c.Append(nil, text[:sid], text[sid:sid+nonce], 0x15)
				if cid[0] != 5<<5|0x15 || len(cid) != 1+sid+nonce {
					t.Fatalf("%d+%d: %x", sid, nonce, cid)
				}
				if key != nil && bytes.Contains(cid, text[:min(sid, 4)+2]) {
					t.Errorf("%d+%d: in the clear: %q", sid, nonce, cid)
				}
				s, n := c.Decode(cid)
				if !bytes.Equal(s, text[:sid]) || !bytes.Equal(n, text[sid:sid+nonce]) || !bytes.Equal(c.ServerID(nil, cid), s) {
					t.Errorf("%d+%d: %q %q", sid, nonce, s, n)
				}
			}
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := quiclb.Config{ID: 6, ServerIDLen: 8, NonceLen: 8, Key: unhex(t, key1)}
	for want, spoil := range map[string]func(*quiclb.Config){
		"config 7":              func(c *quiclb.Config) { c.ID = 7 },
		"server ID of 0":        func(c *quiclb.Config) { c.ServerIDLen = 0 },
		"server ID of 16":       func(c *quiclb.Config) { c.ServerIDLen = 16 },
		"nonce of 3":            func(c *quiclb.Config) { c.NonceLen = 3 },
		"nonce of 19":           func(c *quiclb.Config) { c.NonceLen = 19 },
		"at most 19 fit":        func(c *quiclb.Config) { c.ServerIDLen, c.NonceLen = 10, 10 },
		"key of 5 octets: must": func(c *quiclb.Config) { c.Key = c.Key[:5] },
	} {
		c := good
		spoil(&c)
		if _, err := quiclb.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	c := codec(t, good)
	if c.ID() != 6 || c.ServerIDLen() != 8 || c.NonceLen() != 8 {
		t.Errorf("%d %d %d", c.ID(), c.ServerIDLen(), c.NonceLen())
	}
}

// While a key is replaced, connection IDs of both are read; those of no configuration, and of none that is left, aren't.
func TestRotation(t *testing.T) {
	sid := []byte("metro-1x")
	older := codec(t, quiclb.Config{ID: 1, ServerIDLen: 8, NonceLen: 8, Key: unhex(t, key1)})
	newer := codec(t, quiclb.Config{ID: 2, ServerIDLen: 8, NonceLen: 9, Key: unhex(t, key2)})
	was, is := older.Append(nil, sid, []byte("12345678"), 0), newer.Append(nil, sid, []byte("123456789"), 0)
	set := func(codecs ...*quiclb.Codec) *quiclb.Configs {
		s, err := quiclb.NewConfigs(codecs...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	both, one, none := set(older, newer), set(newer), set()
	for _, c := range []struct {
		set  *quiclb.Configs
		cid  []byte
		want bool
	}{
		{both, was, true},
		{both, is, true},
		{one, was, false},
		{one, is, true},
		{none, is, false},
		{both, nil, false},
		{both, append([]byte{0xff}, is[1:]...), false},
		{both, append([]byte{0x00}, is[1:]...), false},
	} {
		got := c.set.ServerID(nil, c.cid)
		if (got != nil) != c.want || c.want && !bytes.Equal(got, sid) {
			t.Errorf("%x: %q", c.cid, got)
		}
	}
	if both.Codec(2) != newer || both.Codec(3) != nil || both.Codec(7) != nil {
		t.Error("Codec returns another one")
	}
	if _, err := quiclb.NewConfigs(older, older); err == nil || !strings.Contains(err.Error(), "config 1: is there twice") {
		t.Errorf("two of one ID: %v", err)
	}
}

// No nonce comes twice, whoever asks at the same time.
func TestNoncesAreUsedOnce(t *testing.T) {
	for _, c := range []quiclb.Config{
		{ServerIDLen: 8, NonceLen: 8, Key: unhex(t, key1)},
		{ServerIDLen: 3, NonceLen: 4, Key: unhex(t, key1)},
		{ServerIDLen: 1, NonceLen: 18, Key: unhex(t, key1)},
		{ServerIDLen: 8, NonceLen: 8},
	} {
		codec := codec(t, c)
		g, err := quiclb.NewGenerator(codec, []byte("metro-1x")[:c.ServerIDLen])
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := map[string]bool{}
		for range 4 {
			wg.Go(func() {
				for range 500 {
					cid, err := g.Append(nil)
					s, nonce := codec.Decode(cid)
					mu.Lock()
					if err != nil || string(s) != "metro-1x"[:c.ServerIDLen] || seen[string(nonce)] || len(cid) != g.Len() {
						t.Errorf("%x: %q %x, %v", cid, s, nonce, err)
					}
					seen[string(nonce)] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	}
	if _, err := quiclb.NewGenerator(codec(t, quiclb.Config{ServerIDLen: 8, NonceLen: 8}), []byte("short")); err == nil {
		t.Error("a server ID of another length")
	}
}

// FuzzServerID: whatever a client sends, the server ID has the configuration's length or is none, and what is decoded
// encodes to the same again.
func FuzzServerID(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.cid), uint8(len(v.sid)/2), uint8(len(v.nonce)/2), v.key != "")
	}
	f.Fuzz(func(t *testing.T, cid []byte, sid, nonce uint8, encrypted bool) {
		config := quiclb.Config{ID: 1, ServerIDLen: int(sid), NonceLen: int(nonce)}
		if encrypted {
			config.Key = []byte("0123456789abcdef")
		}
		c, err := quiclb.New(config)
		if err != nil {
			return
		}
		got := c.ServerID(nil, cid)
		s, n := c.Decode(cid)
		if !bytes.Equal(got, s) || s != nil && len(s) != int(sid) {
			t.Fatalf("%x: %x, %x", cid, got, s)
		}
		if s != nil && !bytes.Equal(c.Append(nil, s, n, cid[0]), cid[:c.Len()]) {
			t.Fatalf("%x: encodes to %x", cid, c.Append(nil, s, n, cid[0]))
		}
	})
}

func TestNothingIsAllocated(t *testing.T) {
	for _, v := range vectors {
		sid, nonce, cid := unhex(t, v.sid), unhex(t, v.nonce), unhex(t, v.cid)
		c := codec(t, quiclb.Config{ID: v.id, ServerIDLen: len(sid), NonceLen: len(nonce), Key: unhex(t, v.key)})
		set, err := quiclb.NewConfigs(c)
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 0, quiclb.MaxLen)
		if n := testing.AllocsPerRun(100, func() {
			if set.ServerID(dst, cid) == nil || len(c.Append(dst, sid, nonce, 0)) == 0 {
				t.Error("nothing")
			}
		}); n >= 1 { // under the race detector a pool forgets now and then
			t.Errorf("%s: %v allocations", v.name, n)
		}
	}
}

// Short nonces come to an end, and stay there.
func TestExhausted(t *testing.T) {
	g, err := quiclb.NewGenerator(codec(t, quiclb.Config{ServerIDLen: 3, NonceLen: 4, Key: unhex(t, key1)}), []byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	g.Use(1<<32 - 1)
	if _, err := g.Append(nil); err != nil {
		t.Errorf("the last one: %v", err)
	}
	for range 3 {
		if cid, err := g.Append(nil); !errors.Is(err, quiclb.ErrExhausted) || len(cid) != 0 {
			t.Errorf("beyond it: %x, %v", cid, err)
		}
	}
}

func BenchmarkServerID(b *testing.B) {
	for _, v := range vectors {
		b.Run(strings.ReplaceAll(v.name, " ", "_"), func(b *testing.B) {
			cid := unhex(b, v.cid)
			c := codec(b, quiclb.Config{ID: v.id, ServerIDLen: len(v.sid) / 2, NonceLen: len(v.nonce) / 2, Key: unhex(b, v.key)})
			set, err := quiclb.NewConfigs(c)
			if err != nil {
				b.Fatal(err)
			}
			dst := make([]byte, 0, quiclb.MaxLen)
			b.ReportAllocs()
			for b.Loop() {
				if set.ServerID(dst, cid) == nil {
					b.Fatal("not decoded")
				}
			}
		})
	}
}
