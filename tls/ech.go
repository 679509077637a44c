package edgetls

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"regexp"

	"golang.org/x/crypto/cryptobyte"
)

// What an ECHConfig is made of, RFC 9849, section 4, by the numbers of RFC 9180, section 7.
const (
	echVersion   = 0xfe0d
	kemX25519    = 0x0020
	kdfSHA256    = 0x0001
	aeadAES128   = 0x0001
	aeadChaCha20 = 0x0003
	// echNameLength is what clients pad names to, in octets: longer ones show how long they are.
	echNameLength = 64
)

// ECH is a key of Encrypted Client Hello with the configurations that tell clients of it. It is immutable.
type ECH struct {
	key     *ecdh.PrivateKey
	list    []byte // the ECHConfigList, as DNS has it
	configs []echConfig
}

type echConfig struct {
	raw        []byte
	id         uint8
	kem        uint16
	public     []byte
	publicName string
}

// kems are the key encapsulations, by the curve of their keys.
var kems = map[ecdh.Curve]uint16{ecdh.P256(): 0x0010, ecdh.P384(): 0x0011, ecdh.P521(): 0x0012, ecdh.X25519(): kemX25519}

var publicName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$`)

// NewECH makes a key. name is the public name: what an observer sees in place of the host that a client asks for, and what
// the server shows a certificate for when it doesn't know the key.
func NewECH(name string) (*ECH, error) {
	if len(name) > 255 || !publicName.MatchString(name) {
		return nil, fmt.Errorf("make an ECH key: %q is no host name in lower case", name)
	}
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make an ECH key: %w", err)
	}
	var id [1]byte
	_, _ = rand.Read(id[:]) // never fails
	list, err := echList(id[0], key, name)
	if err != nil {
		return nil, fmt.Errorf("make an ECH key: %w", err)
	}
	return newECH(key, list)
}

// echList is an ECHConfigList of one configuration.
func echList(id uint8, key *ecdh.PrivateKey, name string) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16(echVersion)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint8(id)
			b.AddUint16(kemX25519)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(key.PublicKey().Bytes()) })
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, aead := range []uint16{aeadAES128, aeadChaCha20} {
					b.AddUint16(kdfSHA256)
					b.AddUint16(aead)
				}
			})
			b.AddUint8(echNameLength)
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(name)) })
			b.AddUint16LengthPrefixed(func(*cryptobyte.Builder) {}) // extensions
		})
	})
	return b.Bytes()
}

func newECH(key *ecdh.PrivateKey, list []byte) (*ECH, error) {
	configs, err := parseECHList(list)
	if err != nil {
		return nil, err
	}
	for _, c := range configs {
		if c.kem != kems[key.Curve()] {
			return nil, fmt.Errorf("configuration %d is for another kind of key", c.id)
		}
		if !bytes.Equal(c.public, key.PublicKey().Bytes()) {
			return nil, fmt.Errorf("configuration %d is of another key", c.id)
		}
	}
	return &ECH{key: key, list: list, configs: configs}, nil
}

var errECHList = errors.New("the list of configurations isn't well-formed")

// parseECHList reads the configurations of a list; those of versions to come are passed over.
func parseECHList(list []byte) (configs []echConfig, err error) {
	var entries cryptobyte.String
	if s := cryptobyte.String(list); !s.ReadUint16LengthPrefixed(&entries) || !s.Empty() {
		return nil, errECHList
	}
	for !entries.Empty() {
		var version uint16
		var body cryptobyte.String
		rest := entries
		if !entries.ReadUint16(&version) || !entries.ReadUint16LengthPrefixed(&body) {
			return nil, errECHList
		}
		if version != echVersion {
			continue
		}
		c := echConfig{raw: rest[:len(rest)-len(entries)]}
		if !c.parse(body) {
			return nil, errECHList
		}
		configs = append(configs, c)
	}
	if len(configs) == 0 {
		return nil, errors.New("there is no configuration of RFC 9849")
	}
	return configs, nil
}

func (c *echConfig) parse(s cryptobyte.String) bool {
	var public, suites, name, extensions cryptobyte.String
	var length uint8
	ok := s.ReadUint8(&c.id) && s.ReadUint16(&c.kem) && s.ReadUint16LengthPrefixed(&public) && s.ReadUint16LengthPrefixed(&suites) &&
		s.ReadUint8(&length) && s.ReadUint8LengthPrefixed(&name) && s.ReadUint16LengthPrefixed(&extensions) && s.Empty()
	c.public, c.publicName = public, string(name)
	return ok && len(suites) >= 4 && len(suites)%4 == 0 && len(name) > 0
}

// LoadECH reads a key file (RFC 9934): a private key, PKCS #8, and the list of configurations.
func LoadECH(file string) (*ECH, error) {
	data, err := readFile(file, "ECH key")
	if err != nil {
		return nil, err
	}
	k, err := parseECH(data)
	if err != nil {
		return nil, fmt.Errorf("read the ECH key %s: %w", file, err)
	}
	return k, nil
}

func parseECH(data []byte) (*ECH, error) {
	var key *ecdh.PrivateKey
	var list []byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			k, err := parseECDH(block.Bytes)
			if err != nil {
				return nil, err
			}
			key = k
		case "ECHCONFIG":
			list = block.Bytes
		}
	}
	if key == nil || list == nil {
		return nil, errors.New("it must hold a PRIVATE KEY and an ECHCONFIG, in PEM: anyedge ech new makes such a file")
	}
	return newECH(key, list)
}

func parseECDH(der []byte) (*ecdh.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	switch k := parsed.(type) {
	case *ecdh.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k.ECDH()
	}
	return nil, fmt.Errorf("a %T is no key for ECH: X25519, P-256, P-384 or P-521", parsed)
}

// Create writes k into a new file, which its owner alone may read. One that is there already stays.
func (k *ECH) Create(file string) error {
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return fmt.Errorf("write the ECH key %s: %w", file, err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the ECH key: %w", err)
	}
	err = errors.Join(
		pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.Encode(f, &pem.Block{Type: "ECHCONFIG", Bytes: k.list}),
		f.Sync(), f.Close(),
	)
	if err != nil {
		return fmt.Errorf("write the ECH key %s: %w", file, err)
	}
	return nil
}

// List is the ECHConfigList: what the parameter ech of an HTTPS record has, in base64 (RFC 9848).
func (k *ECH) List() []byte { return bytes.Clone(k.list) }

// PublicNames are the names that an observer sees.
func (k *ECH) PublicNames() (names []string) {
	for _, c := range k.configs {
		names = append(names, c.publicName)
	}
	return names
}

// ID is the number by which clients tell the first configuration.
func (k *ECH) ID() uint8 { return k.configs[0].id }

// serverKeys are what a handshake takes. Clients that come with one that isn't known are told of the first.
func serverKeys(list []*ECH) (keys []tls.EncryptedClientHelloKey) {
	for i, k := range list {
		for _, c := range k.configs {
			keys = append(keys, tls.EncryptedClientHelloKey{Config: c.raw, PrivateKey: k.key.Bytes(), SendAsRetry: i == 0})
		}
	}
	return keys
}

// ECH lists the keys that are accepted; the first is the one that clients are told of.
func (s *Store) ECH() []*ECH {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loaded.ech
}
