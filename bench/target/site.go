package target

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	edgetls "github.com/anyedge/anyedge/tls"
)

// Host is the name that the servers have.
const Host = "bench.test"

// Site is what the servers serve, and where their files are.
type Site struct {
	Dir    string
	Cert   string // PEM files
	Key    string
	Origin string // HOST:PORT, without TLS
	H2     bool   // the origin is asked over H2 by those that can, over H1 by the others
}

// NewSite makes a certificate and a directory below dir for servers whose origin is there.
func NewSite(dir, origin string) (*Site, error) {
	s := &Site{Dir: dir, Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), Origin: origin}
	pair, _, err := edgetls.SelfSigned(Host, "127.0.0.1")
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	for file, content := range map[string][]byte{s.Cert: cert, s.Key: private, s.both(): append(private, cert...)} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// both is the key and the certificate in one file, as HAProxy and Hitch want them.
func (s *Site) both() string { return filepath.Join(s.Dir, "both.pem") }

// files is the root of the contents as files, for servers of files.
func (s *Site) files() string { return filepath.Join(s.Dir, "files") }

// AddFile writes a content of the origin to a file, for the servers that have no origin but files.
func (s *Site) AddFile(octets int64, fresh time.Duration, number int) error {
	name := filepath.Join(s.files(), Path(octets, fresh, number))
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for left := octets; left > 0; left -= int64(len(block)) {
		if _, err := f.Write(block[:min(left, int64(len(block)))]); err != nil {
			return err
		}
	}
	return f.Close()
}

// write writes a server's configuration and returns its name.
func (s *Site) write(name, content string) (string, error) {
	file := filepath.Join(s.Dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, []byte(content), 0o644)
}

// freeAddress is one of loopback that is free for TCP and UDP.
func freeAddress() (string, error) {
	for range 20 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		address := ln.Addr().String()
		udp, err := net.ListenPacket("udp", address)
		_ = ln.Close()
		if err == nil {
			return address, udp.Close()
		}
	}
	return "", fmt.Errorf("no port of loopback is free for both TCP and UDP")
}
