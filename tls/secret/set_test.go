package secret_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/anyedge/anyedge/tls/secret"
)

func parse(t *testing.T, text string) *secret.Set {
	t.Helper()
	s, err := secret.Parse("x", []byte(text))
	must(t, err)
	return s
}

// fixed is a set whose keys can be written down.
func fixed(t *testing.T) *secret.Set {
	t.Helper()
	return parse(t, "anyedge-fleet-secret 1\ncurrent 9 "+digits(1)+"\n")
}

// digits are 64 hexadecimal digits.
func digits(n int) string { return fmt.Sprintf("%064x", n) }

// The values are from another implementation of HKDF. A change of one makes nodes of two versions strangers.
func TestKeysStayTheSame(t *testing.T) {
	s := fixed(t)
	first := func(list [][]byte) string { return hex.EncodeToString(list[0]) }
	for _, c := range []struct{ what, got, want string }{
		{"connection ID", hex.EncodeToString(s.ConnectionIDKeys()[0].Key), "7bab8a367943441296cc373e148e1c82"},
		{"tunnel", hex.EncodeToString(s.TunnelKeys()[0].Key), "c38acdd6132cc7a62e642399e700f8121e561ac0603dc4d74b05bc0e73416e8c"},
		{"reset", hex.EncodeToString(s.ResetKey()), "c7d0f81c4725e83621d7809117350b6a3ae6135073bfe01129ac71a6fab39ac9"},
		{"token", hex.EncodeToString(s.TokenKey()), "cd2fe8a7d171fcd686386eb359f026aefcbe7e9d0bbc9389258fa386ec3450c5"},
		{"ticket", first(s.TicketKeys(20000)), "7707cb98b677e40d412ad3e82a17f7acc3feb7281ffb6a0a1bdc1cc30d716a68"},
		{"gossip", first(s.GossipKeys()), "f512daa87857c33219f912db93f9175393a119f0e59e780d071e57d9722e341b"},
		{"storage", first(s.StorageKeys()), "896b7ab1aeea0da16c6955ac0c1c37914eac4857823511ffe986df1e2735d0b7"},
		{"certificate", first(s.CertificateKeys()), "25bef17c4318d982f522747060dff91749d75b74d18a6677d4e4fc8d0eb6442a"},
		{"fingerprint", s.Describe()[0].Fingerprint, "ce6961ab558ad71c"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.what, c.got, c.want)
		}
	}
	if id := s.ConnectionIDKeys()[0].ID; id != 9%secret.Rotations {
		t.Errorf("config rotation %d of secret 9", id)
	}
	if id := s.TunnelKeys()[0].ID; id != 9 {
		t.Errorf("tunnel key ID %d of secret 9", id)
	}
}

func TestKeysDiffer(t *testing.T) {
	s, step := secret.New().Rotate()
	if step != secret.Added {
		t.Fatal(step)
	}
	all := [][]byte{s.ResetKey(), s.TokenKey()}
	for _, list := range [][]secret.Key{s.ConnectionIDKeys(), s.TunnelKeys()} {
		for _, k := range list {
			all = append(all, k.Key)
		}
	}
	all = slices.Concat(all, s.GossipKeys(), s.CertificateKeys(), s.StorageKeys(), s.TicketKeys(-1), s.TicketKeys(1), s.TicketKeys(11))
	seen := map[string]bool{}
	for _, key := range all {
		start := string(key[:16]) // a short one must not be the beginning of a long one
		if seen[start] {
			t.Fatalf("two keys begin with %x", start)
		}
		seen[start] = true
	}
	if want := 2 + 2*2 + 2*6; len(seen) != want {
		t.Errorf("%d keys, want %d", len(seen), want)
	}
}

// made is what a node makes with a set, and takes tells whether another takes it.
type made struct {
	cid, tunnel    secret.Key
	gossip, ticket []byte
}

func makes(s *secret.Set) made {
	return made{s.ConnectionIDKeys()[0], s.TunnelKeys()[0], s.GossipKeys()[0], s.TicketKeys(7)[0]}
}

func takes(s *secret.Set, m made) bool {
	key := func(list []secret.Key, want secret.Key) bool {
		return slices.ContainsFunc(list, func(k secret.Key) bool { return k.ID == want.ID && bytes.Equal(k.Key, want.Key) })
	}
	octets := func(list [][]byte, want []byte) bool {
		return slices.ContainsFunc(list, func(k []byte) bool { return bytes.Equal(k, want) })
	}
	return key(s.ConnectionIDKeys(), m.cid) && key(s.TunnelKeys(), m.tunnel) &&
		octets(s.GossipKeys(), m.gossip) && octets(s.TicketKeys(7), m.ticket)
}

// While one step of a rotation makes its way through the fleet, every node takes what every other makes.
func TestRotationLosesNothing(t *testing.T) {
	old := secret.New()
	steps := []secret.Step{}
	for range 10 {
		rotated, step := old.Rotate()
		steps = append(steps, step)
		if !takes(old, makes(rotated)) || !takes(rotated, makes(old)) {
			t.Errorf("%s: nodes before and after it don't understand each other", step)
		}
		ids := map[uint8]bool{}
		for _, k := range rotated.ConnectionIDKeys() {
			ids[k.ID] = true
		}
		if len(ids) != len(rotated.Describe()) {
			t.Errorf("%s: %d config rotations for %d secrets", step, len(ids), len(rotated.Describe()))
		}
		old = rotated
	}
	want := []secret.Step{secret.Added, secret.Promoted, secret.Dropped, secret.Added, secret.Promoted}
	if !slices.Equal(steps[:5], want) {
		t.Errorf("the steps were %v", steps)
	}
}

func TestDroppedSecretsAreRefused(t *testing.T) {
	first := secret.New()
	s := first
	for range 3 {
		s, _ = s.Rotate()
	}
	if takes(s, makes(first)) {
		t.Error("a whole rotation later the first secret is still accepted")
	}
	if takes(secret.New(), makes(first)) {
		t.Error("another fleet's secret is accepted")
	}
}

// A set that has all three, which an operator may have made, loses the oldest first.
func TestRotateWithPreviousAndNext(t *testing.T) {
	s := parse(t, "anyedge-fleet-secret 1\nprevious 1 "+digits(1)+"\ncurrent 2 "+digits(2)+"\nnext 3 "+digits(3)+"\n")
	s, step := s.Rotate()
	if list := s.Describe(); step != secret.Dropped || len(list) != 2 || list[0].Number != 2 || list[1].Number != 3 {
		t.Errorf("%s: %+v", step, list)
	}
}

func TestNumbersWrap(t *testing.T) {
	s := parse(t, "anyedge-fleet-secret 1\ncurrent 4294967295 "+digits(1)+"\n")
	s, _ = s.Rotate()
	s = parse(t, string(s.Append(nil)))
	if list := s.Describe(); len(list) != 2 || list[1].Number != 0 || s.ConnectionIDKeys()[0].ID == s.ConnectionIDKeys()[1].ID {
		t.Errorf("%+v", list)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
