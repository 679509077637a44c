package edgetls

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// parseChain reads the certificates of a PEM file, the leaf first. Blocks of other types are passed over, so that one
// file may hold the key as well.
func parseChain(path string, data []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	blocks := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		blocks++
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read the certificate %s: certificate %d of the file: %w", path, len(chain)+1, err)
		}
		chain = append(chain, c)
	}
	switch {
	case len(chain) > 0:
		return chain, nil
	case blocks == 0:
		return nil, fmt.Errorf("read the certificate %s: %s", path, notPEM(data))
	}
	return nil, fmt.Errorf("read the certificate %s: it holds no certificate%s: name the certificate's file in cert, the key's in key",
		path, holdsInstead(data))
}

// parseKey reads the first private key of a PEM file.
func parseKey(path string, data []byte) (crypto.PrivateKey, error) {
	blocks := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		blocks++
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, fmt.Errorf("read the key %s: it is encrypted: decrypt it with openssl pkey -in %s -out NEWFILE, readable by anyedge alone",
				path, path)
		}
		key, err := parsePrivate(block)
		if err != nil {
			return nil, fmt.Errorf("read the key %s: %w", path, err)
		}
		return key, nil
	}
	if blocks == 0 {
		return nil, fmt.Errorf("read the key %s: %s", path, notPEM(data))
	}
	return nil, fmt.Errorf("read the key %s: it holds no private key%s: name the certificate's file in cert, the key's in key",
		path, holdsInstead(data))
}

// parsePrivate reads PKCS #8, or the forms that openssl wrote before.
func parsePrivate(block *pem.Block) (crypto.PrivateKey, error) {
	switch block.Type {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	}
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}

// match reports a key that doesn't belong to the leaf.
func match(files CertificateFiles, chain []*x509.Certificate, key crypto.PrivateKey) error {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return fmt.Errorf("read the key %s: a %T can't sign: a certificate needs an ECDSA, RSA or Ed25519 key", files.Key, key)
	}
	for i, c := range chain {
		public, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !public.Equal(signer.Public()) {
			continue
		}
		if i == 0 {
			return nil
		}
		return fmt.Errorf("the key in %s belongs to certificate %d of %s: put that one first, then its issuers in order",
			files.Key, i+1, files.Cert)
	}
	return fmt.Errorf("the key in %s does not belong to the certificate in %s (%s): a renewal may have written only one of the two",
		files.Key, files.Cert, chain[0].Subject)
}

func notPEM(data []byte) string {
	if len(data) == 0 {
		return "the file is empty"
	}
	return "it is not PEM (text with -----BEGIN lines): DER is converted with openssl x509 or openssl pkey, -inform DER"
}

// holdsInstead names the first block of a file that holds another thing than what it was named for.
func holdsInstead(data []byte) string {
	if block, _ := pem.Decode(data); block != nil {
		return fmt.Sprintf(" but a %s", strings.ToLower(block.Type))
	}
	return ""
}
