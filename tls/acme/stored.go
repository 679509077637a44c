package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/caddyserver/certmagic"
	acmeproto "github.com/mholt/acmez/v3/acme"
)

// held is a certificate that this node has.
type held struct {
	certificate tls.Certificate // with its Leaf, and a stapled OCSP response where there is one
	authority   string          // for people
	renewal     time.Time       // when it is to be renewed
}

// files are the three parts in which certmagic stores a certificate.
type files struct{ cert, key, meta []byte }

// readFiles reads what the storage has of a name from one authority; fs.ErrNotExist where a part is missing.
func (s *settings) readFiles(ctx context.Context, i *issuer, name string) (f files, err error) {
	keys := certmagic.StorageKeys
	for _, part := range []struct {
		key  string
		into *[]byte
	}{
		{keys.SiteCert(i.IssuerKey(), name), &f.cert}, {keys.SitePrivateKey(i.IssuerKey(), name), &f.key}, {keys.SiteMeta(i.IssuerKey(), name), &f.meta},
	} {
		if *part.into, err = s.storage.Load(ctx, part.key); err != nil {
			return f, err
		}
	}
	return f, nil
}

// stored is the certificate for name that lasts longest, of all authorities; nil where there is none that is whole.
func (s *settings) stored(ctx context.Context, name string) *held {
	var best *held
	for _, i := range s.issuers {
		f, err := s.readFiles(ctx, i, name)
		if err != nil {
			continue
		}
		h, err := f.held(i, name)
		if err == nil && (best == nil || h.certificate.Leaf.NotAfter.After(best.certificate.Leaf.NotAfter)) {
			best = h
		}
	}
	return best
}

// mend deletes what is stored of name and isn't whole: certmagic would stumble over it for ever. What another secret opens
// stays.
func (s *settings) mend(ctx context.Context, name string) (broken []error) {
	for _, i := range s.issuers {
		f, err := s.readFiles(ctx, i, name)
		if err == nil {
			_, err = f.held(i, name)
		}
		if err == nil || errors.Is(err, fs.ErrNotExist) || unopened(err) || ctx.Err() != nil {
			continue
		}
		broken = append(broken, fmt.Errorf("what is stored of %s from %s is broken and is obtained anew: %w", name, i.name(), err))
		keys := certmagic.StorageKeys
		for _, key := range []string{keys.SiteCert(i.IssuerKey(), name), keys.SitePrivateKey(i.IssuerKey(), name), keys.SiteMeta(i.IssuerKey(), name)} {
			if err := s.storage.Delete(ctx, key); err != nil && !errors.Is(err, fs.ErrNotExist) {
				broken = append(broken, err)
			}
		}
	}
	return broken
}

// held makes a certificate of f; its errors quote nothing of the key.
func (f *files) held(i *issuer, name string) (*held, error) {
	cert, err := tls.X509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, err
	}
	if err := cert.Leaf.VerifyHostname(probeName(name)); err != nil {
		return nil, err
	}
	var resource certmagic.CertificateResource
	if err := json.Unmarshal(f.meta, &resource); err != nil {
		return nil, fmt.Errorf("read its description: %w", err)
	}
	return &held{certificate: cert, authority: i.name(), renewal: renewalOf(cert.Leaf, resource.IssuerData)}, nil
}

// probeName is a name that a certificate for name must cover.
func probeName(name string) string {
	if len(name) > 1 && name[0] == '*' {
		return "any" + name[1:]
	}
	return name
}

// renewalOf is when certmagic renews a certificate: at the time that its authority wishes (RFC 9773), else when a third
// of its life is left.
func renewalOf(leaf *x509.Certificate, issuerData []byte) time.Time {
	var meta acmeproto.Certificate
	_ = json.Unmarshal(issuerData, &meta) // without it, the rest of its life tells
	third := leaf.NotAfter.Add(-time.Duration(float64(leaf.NotAfter.Sub(leaf.NotBefore)) * certmagic.DefaultRenewalWindowRatio))
	if ari := meta.RenewalInfo; ari != nil && !ari.SelectedTime.IsZero() && ari.SelectedTime.Before(third) {
		return ari.SelectedTime
	}
	return third
}

func parseLeaf(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}
