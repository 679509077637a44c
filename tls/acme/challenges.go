package acme

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/mholt/acmez/v3"
	acmeproto "github.com/mholt/acmez/v3/acme"
)

// Challenge is what an authority will ask for to see that a name is ours.
type Challenge struct {
	Type             string `json:"type"` // HTTP01 or TLSALPN01
	Name             string `json:"name"` // in lower case
	Token            string `json:"token"`
	KeyAuthorization string `json:"key_authorization"` // the token and the account's thumbprint (RFC 8555, section 8.1)
}

// Challenges are those under way. Its methods may be called concurrently.
type Challenges interface {
	// Put begins to answer c. When it returns nil, whoever the authority may reach answers.
	Put(ctx context.Context, c Challenge) error
	// Delete ends what Put began. Its context may have ended.
	Delete(ctx context.Context, c Challenge)
	// KeyAuthorization is the answer to an http-01 challenge; false where none is under way for host and token.
	KeyAuthorization(host, token string) (string, bool)
	// Certificate is the answer to a tls-alpn-01 challenge (RFC 8737, section 3), or nil.
	Certificate(name string) *tls.Certificate
	// Answered is how often this node has answered, by type.
	Answered() map[string]int64
}

// Bounds on what is answered: authorities ask within minutes, and whoever put a challenge may have died since.
const (
	challengeLife = time.Hour
	maxChallenges = 4096
)

// Local are the challenges that this node answers. The zero value is not valid: see NewLocal.
type Local struct {
	mu       sync.Mutex // guards the following fields
	active   map[challengeKey]answer
	answered map[string]int64
}

// challengeKey is what an authority asks by: name and token, or the name alone.
type challengeKey struct{ kind, name, token string }

type answer struct {
	keyAuthorization string
	certificate      *tls.Certificate
	until            time.Time
}

// NewLocal returns a Local without challenges.
func NewLocal() *Local {
	return &Local{active: map[challengeKey]answer{}, answered: map[string]int64{HTTP01: 0, TLSALPN01: 0}}
}

func keyOf(c Challenge) challengeKey {
	if c.Type == TLSALPN01 {
		return challengeKey{kind: c.Type, name: c.Name}
	}
	return challengeKey{kind: c.Type, name: c.Name, token: c.Token}
}

// Put begins to answer c; it fails for a challenge of another type, and while too many are under way.
func (l *Local) Put(_ context.Context, c Challenge) error {
	a := answer{keyAuthorization: c.KeyAuthorization, until: time.Now().Add(challengeLife)}
	switch c.Type {
	case HTTP01:
	case TLSALPN01:
		cert, err := acmez.TLSALPN01ChallengeCert(acmeproto.Challenge{
			Identifier: acmeproto.Identifier{Type: "dns", Value: c.Name}, KeyAuthorization: c.KeyAuthorization,
		})
		if err != nil {
			return fmt.Errorf("make the certificate of a challenge for %s: %w", c.Name, err)
		}
		a.certificate = cert
	default:
		return fmt.Errorf("answer a challenge for %s: %q is none that this node answers", c.Name, c.Type)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	if len(l.active) >= maxChallenges {
		return fmt.Errorf("answer a challenge for %s: %d are under way already", c.Name, len(l.active))
	}
	l.active[keyOf(c)] = a
	return nil
}

// expire forgets what nobody asks for any more. l.mu is held.
func (l *Local) expire() {
	now := time.Now()
	for k, a := range l.active {
		if now.After(a.until) {
			delete(l.active, k)
		}
	}
}

// Delete ends what Put began.
func (l *Local) Delete(_ context.Context, c Challenge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active[keyOf(c)].keyAuthorization == c.KeyAuthorization { // a later order's stays
		delete(l.active, keyOf(c))
	}
}

// KeyAuthorization is the answer to an http-01 challenge. The host may have a port.
func (l *Local) KeyAuthorization(host, token string) (string, bool) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	a, ok := l.find(challengeKey{HTTP01, strings.ToLower(host), token})
	return a.keyAuthorization, ok
}

// Certificate is the answer to a tls-alpn-01 challenge, or nil.
func (l *Local) Certificate(name string) *tls.Certificate {
	a, _ := l.find(challengeKey{kind: TLSALPN01, name: name})
	return a.certificate
}

func (l *Local) find(k challengeKey) (answer, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.active[k]
	if !ok || time.Now().After(a.until) {
		return answer{}, false
	}
	l.answered[k.kind]++
	return a, true
}

// Answered is how often this node has answered, by type.
func (l *Local) Answered() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.answered)
}
