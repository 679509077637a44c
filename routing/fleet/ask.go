package fleet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/anyedge/anyedge/routing"
)

const (
	// askLimit bounds one question to another node, of its admin API or of its data plane.
	askLimit = 2 * time.Second
	// maxStatus bounds what is read of a status: 1,000 VIPs and as many origins are well below.
	maxStatus = 8 << 20
)

// source is one other node, and how its word is had.
type source struct {
	node  Node
	ask   func(context.Context) (*answer, error)
	close func()
}

// api asks one node's admin API.
type api struct {
	node  Node
	token string
	http  *http.Client
}

// newSource is a node of the configuration, with what its files have.
func newSource(n Node) (*source, error) {
	a, err := newAPI(n)
	return &source{node: n, ask: a.ask, close: a.http.CloseIdleConnections}, err
}

func newAPI(n Node) (*api, error) {
	s := &api{node: n}
	transport := &http.Transport{Proxy: nil, MaxConnsPerHost: 2, IdleConnTimeout: time.Minute}
	var tokenErr, caErr error
	if n.TokenFile != "" {
		s.token, tokenErr = readToken(n.TokenFile)
	}
	if n.CAFile != "" {
		transport.TLSClientConfig, caErr = readAuthority(n.CAFile)
	}
	s.http = &http.Client{Transport: transport, Timeout: askLimit}
	return s, errors.Join(tokenErr, caErr)
}

func readToken(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("token_file: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", fmt.Errorf("token_file: %s is empty", file)
	}
	return token, nil
}

func readAuthority(file string) (*tls.Config, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("ca_file: %s has no certificate in PEM", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// answer is what of /v1/status is needed.
type answer struct {
	Node   string          `json:"node"`
	Metro  string          `json:"metro"`
	Report *routing.Report `json:"report"`

	at time.Time // when the node said so
}

// ask returns what the node says of itself.
func (s *api) ask(ctx context.Context) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.node.Admin, "/")+"/v1/status", nil)
	if err != nil {
		return nil, err
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", req.URL, resp.Status)
	}
	var a answer
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxStatus)).Decode(&a); err != nil {
		return nil, fmt.Errorf("GET %s: %w", req.URL, err)
	}
	switch {
	case a.Node != s.node.Name:
		return nil, fmt.Errorf("%s is node %q, not %q", s.node.Admin, a.Node, s.node.Name)
	case a.Report == nil:
		return nil, fmt.Errorf("%s doesn't tell its levels: is it an older version?", s.node.Admin)
	}
	a.at = time.Now()
	return &a, nil
}
