package clientauth

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
)

// readRules reads the files that o names; the error has the problems of all.
func readRules(o Options) (*rules, error) {
	bundle, err := readBundle(o.CAFile)
	if err != nil {
		return nil, err
	}
	r := newRules(o, bundle)
	var errs []error
	for _, file := range o.CRLFiles {
		if err := r.readLists(file, bundle); err != nil {
			errs = append(errs, err)
		}
	}
	return r, errors.Join(errs...)
}

// newRules sorts the bundle: what has its issuer there stands between that and the clients, the rest is trusted by itself.
func newRules(o Options, bundle []*x509.Certificate) *rules {
	r := &rules{
		options: o, roots: x509.NewCertPool(), between: x509.NewCertPool(), all: x509.NewCertPool(),
		lists: map[string]*list{}, known: map[[sha256.Size]byte]*taken{},
	}
	sum := sha256.New()
	for _, c := range bundle {
		sum.Write(c.Raw)
		r.all.AddCert(c)
		if hasIssuer(c, bundle) {
			r.between.AddCert(c)
		} else {
			r.roots.AddCert(c)
		}
	}
	r.mark = fmt.Sprintf("%s%s %x", markPrefix, o.Mode, sum.Sum(nil))
	return r
}

// hasIssuer tells whether another certificate of the bundle has issued c.
func hasIssuer(c *x509.Certificate, bundle []*x509.Certificate) bool {
	return slices.ContainsFunc(bundle, func(by *x509.Certificate) bool {
		return !by.Equal(c) && bytes.Equal(by.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(by) == nil
	}) && !bytes.Equal(c.RawSubject, c.RawIssuer)
}

func readBundle(file string) (bundle []*x509.Certificate, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the authorities of clients: %w", err)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read the authorities of clients %s: certificate %d: %w", file, len(bundle)+1, err)
		}
		if !c.IsCA {
			return nil, fmt.Errorf("read the authorities of clients %s: certificate %d, %s, isn't an authority's", file, len(bundle)+1, c.Subject)
		}
		bundle = append(bundle, c)
	}
	if len(bundle) == 0 {
		return nil, fmt.Errorf("read the authorities of clients %s: it holds no PEM certificate", file)
	}
	return bundle, nil
}

// readLists takes up the revocation lists of a file: one in DER, or any number in PEM.
func (r *rules) readLists(file string, bundle []*x509.Certificate) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the revocation list: %w", err)
	}
	var ders [][]byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "X509 CRL" {
			ders = append(ders, block.Bytes)
		}
	}
	if len(ders) == 0 {
		ders = [][]byte{data}
	}
	for _, der := range ders {
		if err := r.addList(file, der, bundle); err != nil {
			return fmt.Errorf("read the revocation list %s: %w", file, err)
		}
	}
	return nil
}

// Extensions by which a list is less than complete, RFC 5280, sections 5.2.4 and 5.2.5.
var (
	deltaList = asn1.ObjectIdentifier{2, 5, 29, 27}
	partList  = asn1.ObjectIdentifier{2, 5, 29, 28}
)

func (r *rules) addList(file string, der []byte, bundle []*x509.Certificate) error {
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		return fmt.Errorf("it holds no revocation list, neither PEM (X509 CRL) nor DER: %w", err)
	}
	for _, e := range crl.Extensions {
		if e.Id.Equal(deltaList) || e.Id.Equal(partList) {
			return fmt.Errorf("it is a part, or a delta, of the list of %s: name the complete one", crl.Issuer)
		}
	}
	signed := func(by *x509.Certificate) bool {
		return bytes.Equal(by.RawSubject, crl.RawIssuer) && crl.CheckSignatureFrom(by) == nil
	}
	if !slices.ContainsFunc(bundle, signed) {
		return fmt.Errorf("it is of %s, which isn't among the authorities of ca_file, or hasn't signed it", crl.Issuer)
	}
	l := &list{file: file, issuer: crl.Issuer.String(), due: crl.NextUpdate, revoked: make(map[string]struct{}, len(crl.RevokedCertificateEntries))}
	for _, e := range crl.RevokedCertificateEntries {
		l.revoked[string(e.SerialNumber.Bytes())] = struct{}{}
	}
	if other := r.lists[string(crl.RawIssuer)]; other != nil {
		return fmt.Errorf("%s has the list of %s as well: name one of them", other.file, crl.Issuer)
	}
	r.lists[string(crl.RawIssuer)] = l
	return nil
}
