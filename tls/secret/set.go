package secret

import (
	"crypto/rand"
	"encoding/hex"
)

// Size is the length of a secret in octets.
const Size = 32

// Role is what nodes do with a secret.
type Role string

// The roles, in the order of a secret's life.
const (
	Next     Role = "next"     // accepted, not used yet
	Current  Role = "current"  // used
	Previous Role = "previous" // still accepted, no longer used
)

// Set is the content of a secret file: one current secret, and beside it the one before or the one to come. It is
// immutable.
type Set struct {
	current        secret
	previous, next *secret // nil: none
}

// secret is one of a Set.
type secret struct {
	number uint32 // that after its predecessor's; 0 comes after the highest
	value  [Size]byte
}

// New returns a Set of one random secret.
func New() *Set { return &Set{current: newSecret(1)} }

func newSecret(number uint32) secret {
	s := secret{number: number}
	_, _ = rand.Read(s.value[:]) // never fails
	return s
}

// Step is what a rotation did.
type Step string

// The steps, in their order.
const (
	Added    Step = "added"    // there is a next secret now
	Promoted Step = "promoted" // the next secret has become the current one, the current the previous
	Dropped  Step = "dropped"  // the previous secret is gone
)

// Rotate returns s after the next step of its rotation. The caller sees to it that every node has the outcome of one
// step before the next is made.
func (s *Set) Rotate() (*Set, Step) {
	switch {
	case s.previous != nil:
		return &Set{current: s.current, next: s.next}, Dropped
	case s.next != nil:
		return &Set{previous: &s.current, current: *s.next}, Promoted
	}
	next := newSecret(s.current.number + 1)
	return &Set{current: s.current, next: &next}, Added
}

// Description tells a secret apart from others without giving it away.
type Description struct {
	Role        Role   `json:"role"`
	Number      uint32 `json:"number"`
	Fingerprint string `json:"fingerprint"` // 16 hexadecimal digits
}

// Describe lists the secrets: the current one first, then next and previous.
func (s *Set) Describe() []Description {
	list := []Description{s.current.describe(Current)}
	if s.next != nil {
		list = append(list, s.next.describe(Next))
	}
	if s.previous != nil {
		list = append(list, s.previous.describe(Previous))
	}
	return list
}

func (s *secret) describe(r Role) Description {
	return Description{Role: r, Number: s.number, Fingerprint: hex.EncodeToString(s.derive(labelFingerprint, 8))}
}

// all are the secrets in the order in which what others made is tried: the current one has made most.
func (s *Set) all() []*secret {
	list := []*secret{&s.current}
	for _, other := range []*secret{s.previous, s.next} {
		if other != nil {
			list = append(list, other)
		}
	}
	return list
}
