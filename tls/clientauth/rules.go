package clientauth

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// rules are what the files said at one time. But for known, which has a lock, they are immutable.
type rules struct {
	options Options
	roots   *x509.CertPool
	between *x509.CertPool
	all     *x509.CertPool
	lists   map[string]*list // by the authority's name, in DER
	mark    string           // in session tickets: under which authorities a session began
	derived derived

	mu    sync.RWMutex // guards the following field
	known map[[sha256.Size]byte]*taken
}

// list is one authority's revocation list.
type list struct {
	file    string
	issuer  string
	due     time.Time // of the next one; zero: never
	revoked map[string]struct{}
}

func (l *list) expired(now time.Time) bool { return !l.due.IsZero() && now.After(l.due) }

// taken is a certificate that was verified, with what the origin is told of it.
type taken struct {
	until  time.Time // it needs no other look before
	client Client
}

// Client is what is known of a client by its certificate.
type Client struct {
	Subject string // as RFC 4514 writes it
	Serial  string // in hexadecimal digits
	// Cert and Chain are the values of Client-Cert and Client-Cert-Chain (RFC 9440, section 2); Chain is empty where a
	// trusted authority has issued the certificate itself.
	Cert, Chain string
}

// maxKnown bounds how many certificates are remembered: about 3 KiB each.
const maxKnown = 10_000

// verify holds a client's certificate, the first of presented, against r.
func (r *rules) verify(presented []*x509.Certificate, now time.Time) (*Client, error) {
	key := sha256.Sum256(presented[0].Raw)
	r.mu.RLock()
	k := r.known[key]
	r.mu.RUnlock()
	if k != nil && now.Before(k.until) {
		return &k.client, nil
	}
	chain, err := r.chain(presented, now)
	if err != nil {
		return nil, err
	}
	k = &taken{until: r.until(chain), client: newClient(chain)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= maxKnown {
		clear(r.known)
	}
	r.known[key] = k
	return &k.client, nil
}

// chain returns a chain from the client's certificate to a root of which nothing is revoked.
func (r *rules) chain(presented []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	between := r.between
	if len(presented) > 1 {
		between = between.Clone()
		for _, c := range presented[1:] {
			between.AddCert(c)
		}
	}
	chains, err := presented[0].Verify(x509.VerifyOptions{
		Roots: r.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, fmt.Errorf("verify the client's certificate: %w", err)
	}
	var errs []error
	for _, chain := range chains {
		err := r.revoked(chain, now)
		if err == nil {
			return chain, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// revoked says what of a chain was revoked, or may have been.
func (r *rules) revoked(chain []*x509.Certificate, now time.Time) error {
	for _, c := range chain[:len(chain)-1] {
		l := r.lists[string(c.RawIssuer)]
		if l == nil {
			continue
		}
		if _, listed := l.revoked[string(c.SerialNumber.Bytes())]; listed {
			return fmt.Errorf("verify the client's certificate: %s, serial %x, was revoked by %s", c.Subject, c.SerialNumber, l.issuer)
		}
		if l.expired(now) && r.options.ExpiredCRL != UseExpired {
			return fmt.Errorf("verify the client's certificate: the revocation list of %s, %s, was due to be renewed %s",
				l.issuer, l.file, l.due.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// until is when a chain that is good must be looked at again.
func (r *rules) until(chain []*x509.Certificate) time.Time {
	until := chain[0].NotAfter
	earlier := func(t time.Time) {
		if !t.IsZero() && t.Before(until) {
			until = t
		}
	}
	for _, c := range chain {
		earlier(c.NotAfter)
		if l := r.lists[string(c.RawIssuer)]; l != nil && r.options.ExpiredCRL != UseExpired {
			earlier(l.due)
		}
	}
	return until
}

func newClient(chain []*x509.Certificate) Client {
	leaf := chain[0]
	c := Client{Subject: leaf.Subject.String(), Serial: fmt.Sprintf("%x", leaf.SerialNumber), Cert: binary(leaf)}
	var between []string
	for _, b := range chain[1:max(len(chain)-1, 1)] { // without the root, which the origin has or doesn't trust
		between = append(between, binary(b))
	}
	c.Chain = strings.Join(between, ", ")
	return c
}

// binary is a certificate as a structured field's byte sequence (RFC 9651, section 3.3.5).
func binary(c *x509.Certificate) string { return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":" }
