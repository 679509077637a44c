package edgetls

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/anyedge/anyedge/tls/files"
)

// loaded is what one reading of the files gave.
type loaded struct {
	options Options
	entries []*entry
	ech     []*ECH // in the order of the options
	stamps  files.Stamps
}

// load reads every file that o names, and reports every problem by key.
func load(o Options, report func(key string, err error)) loaded {
	l := loaded{options: o, stamps: files.Look(o.paths()...)} // before the reading, so that a change meanwhile is seen later
	var errs []error
	l.entries, errs = loadPairs(o.Certificates)
	for i, err := range errs {
		if err != nil {
			report(fmt.Sprintf("certificates[%d]", i), err)
		}
	}
	for i, file := range o.ECHKeys {
		k, err := LoadECH(file)
		if err != nil {
			report(fmt.Sprintf("ech_keys[%d]", i), err)
			continue
		}
		l.ech = append(l.ech, k)
	}
	return l
}

// loadPairs reads certificates, several at a time: half of the work is the key's. Results are in the order of list.
func loadPairs(list []CertificateFiles) ([]*entry, []error) {
	entries, errs := make([]*entry, len(list)), make([]error, len(list))
	var next atomic.Int64
	var readers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(list)) {
		readers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(list)); i = next.Add(1) - 1 {
				entries[i], errs[i] = loadPair(list[i])
			}
		})
	}
	readers.Wait()
	return entries, errs
}

// LoadPair reads one certificate with its key; its Leaf is set.
func LoadPair(files CertificateFiles) (*tls.Certificate, error) {
	e, err := loadPair(files)
	if err != nil {
		return nil, err
	}
	return e.cert, nil
}

func loadPair(files CertificateFiles) (*entry, error) {
	certPEM, certErr := readFile(files.Cert, "certificate")
	keyPEM, keyErr := readFile(files.Key, "key")
	if err := errors.Join(certErr, keyErr); err != nil {
		return nil, err
	}
	chain, certErr := parseChain(files.Cert, certPEM)
	key, keyErr := parseKey(files.Key, keyPEM)
	if err := errors.Join(certErr, keyErr); err != nil {
		return nil, err
	}
	if err := match(files, chain, key); err != nil {
		return nil, err
	}
	cert := &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return &entry{cert: cert, files: files}, nil
}

// readFile reads a file, with what to do where it can't.
func readFile(path, what string) ([]byte, error) {
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		return data, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the %s %s: there is no such file: correct the path, or put the file there: %w", what, path, err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("read the %s %s: permission denied: let the user that anyedge runs as read it (uid %d): %w",
			what, path, os.Getuid(), err)
	}
	return nil, fmt.Errorf("read the %s %s: %w", what, path, err)
}
