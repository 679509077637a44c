package acme

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

var (
	errNoKey  = errors.New("the nodes share no secret: fleet.secret_file is missing")
	errSealed = errors.New("no key of the fleet secret opens it")
)

// parties are who a message is from and for: what is sealed for one node opens at no other.
func parties(from, to string) []byte { return []byte("anyedge acme 1\x00" + from + "\x00" + to) }

// seal encrypts and authenticates plain under the first of keys, of 32 octets (AES-256-GCM, a random nonce ahead).
func seal(keys [][]byte, parties, plain []byte) ([]byte, error) {
	if len(keys) == 0 {
		return nil, errNoKey
	}
	aead, err := newAEAD(keys[0])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, plain, parties), nil
}

// open undoes seal under any of keys.
func open(keys [][]byte, parties, sealed []byte) ([]byte, error) {
	plain, _, err := openBy(keys, parties, sealed)
	return plain, err
}

// openBy is open, and tells which of keys it was.
func openBy(keys [][]byte, parties, sealed []byte) (plain []byte, which int, err error) {
	for i, key := range keys {
		aead, err := newAEAD(key)
		if err != nil {
			return nil, 0, err
		}
		if len(sealed) < aead.NonceSize() {
			break
		}
		if plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], parties); err == nil {
			return plain, i, nil
		}
	}
	return nil, 0, errSealed
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use a key of the fleet: %w", err)
	}
	return cipher.NewGCM(block)
}
