package dns01

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/libdns/cloudflare"
	"github.com/libdns/libdns"
	"github.com/libdns/rfc2136"
)

// Doer sends HTTP requests.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// provider writes records.
type provider interface {
	libdns.RecordAppender
	libdns.RecordDeleter
}

// apiTimeout bounds each request of an API.
const apiTimeout = 20 * time.Second

// newProvider reads the files that o names.
func newProvider(o *Options) (provider, error) {
	if o.Provider == RFC2136 {
		k, err := readKey(o.KeyFile)
		if err != nil {
			return nil, err
		}
		return &rfc2136.Provider{Server: o.Server, KeyName: k.name, KeyAlg: k.algorithm, Key: k.secret}, nil
	}
	token, err := readToken(o.TokenFile)
	if err != nil {
		return nil, err
	}
	p := &cloudflare.Provider{APIToken: token, HTTPClient: o.HTTP}
	if o.HTTP == nil {
		p.HTTPClient = &http.Client{Timeout: apiTimeout}
	}
	return p, nil
}

// key is a TSIG key.
type key struct{ name, algorithm, secret string }

// keyText is what tsig-keygen writes, and BIND reads.
var keyText = regexp.MustCompile(`(?s)^\s*key\s+"?([^"\s{]+)"?\s*\{\s*algorithm\s+"?([A-Za-z0-9.-]+)"?\s*;\s*secret\s+"([^"]*)"\s*;\s*\}\s*;\s*$`)

// algorithms are those of TSIG that are still good (RFC 8945, section 6).
var algorithms = map[string]bool{"hmac-sha224": true, "hmac-sha256": true, "hmac-sha384": true, "hmac-sha512": true}

// readKey reads a TSIG key. Errors don't quote it.
func readKey(file string) (key, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return key{}, fmt.Errorf("read a TSIG key from %s: %w", file, reason(err))
	}
	m := keyText.FindSubmatch(text)
	if m == nil {
		return key{}, fmt.Errorf("read a TSIG key: %s must have it as tsig-keygen writes it: key NAME { algorithm …; secret …; };", file)
	}
	k := key{string(m[1]), strings.ToLower(string(m[2])), string(m[3])}
	if !algorithms[k.algorithm] {
		return key{}, fmt.Errorf("read a TSIG key: the algorithm in %s must be one of hmac-sha224, -sha256, -sha384, -sha512", file)
	}
	if b, err := base64.StdEncoding.DecodeString(k.secret); err != nil || len(b) == 0 {
		return key{}, fmt.Errorf("read a TSIG key: the secret in %s is not base64", file)
	}
	return k, nil
}

// readToken reads an API token. Errors don't quote it.
func readToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read an API token from %s: %w", file, reason(err))
	}
	token := strings.TrimRight(string(text), "\r\n")
	if token == "" || strings.ContainsAny(token, "\r\n\t ") {
		return "", fmt.Errorf("read an API token: %s must have it in one line, and nothing else", file)
	}
	return token, nil
}

// reason is err without the path, which is in the text already.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
