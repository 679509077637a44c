package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/proxy/admin"
)

const defaultAdmin = "http://127.0.0.1:9180"

// client speaks to a node's admin API.
type client struct {
	base  string
	token string
	http  *http.Client
}

// clientFlags are the flags that every client command has.
type clientFlags struct {
	admin, tokenFile, caFile, certFile, keyFile string
	json                                        bool
}

func (f *clientFlags) register(c *cobra.Command) {
	c.GroupID = "client"
	c.Flags().BoolVar(&f.json, "json", false, "print the answer as JSON")
	f.registerAPI(c)
}

// registerAPI registers what says where the node is, and who asks.
func (f *clientFlags) registerAPI(c *cobra.Command) {
	c.Flags().StringVar(&f.admin, "admin", "", "the node's admin API: http://HOST:PORT, https://HOST:PORT or unix:PATH (default $ANYEDGE_ADMIN, else "+defaultAdmin+")")
	c.Flags().StringVar(&f.tokenFile, "token-file", "", "file with the admin API's token (default $ANYEDGE_TOKEN_FILE)")
	c.Flags().StringVar(&f.caFile, "admin-ca", "", "PEM file with the authority of the admin API's certificate")
	c.Flags().StringVar(&f.certFile, "admin-cert", "", "PEM file with the client certificate for the admin API")
	c.Flags().StringVar(&f.keyFile, "admin-key", "", "PEM file with its key")
}

func (f *clientFlags) client() (*client, error) {
	c := &client{base: firstOf(f.admin, os.Getenv("ANYEDGE_ADMIN"), defaultAdmin)}
	transport := &http.Transport{Proxy: nil, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}
	c.http = &http.Client{Transport: transport}
	if file := firstOf(f.tokenFile, os.Getenv("ANYEDGE_TOKEN_FILE")); file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the token: %w", err)
		}
		c.token = strings.TrimSpace(string(b))
	}
	if path, ok := strings.CutPrefix(c.base, "unix:"); ok {
		c.base = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
	}
	if u, err := url.Parse(c.base); err != nil || u.Host == "" {
		return nil, usageError{fmt.Errorf("--admin: %q is not http://HOST:PORT, https://HOST:PORT or unix:PATH", c.base)}
	}
	c.base = strings.TrimSuffix(c.base, "/")
	return c, f.tls(transport)
}

func (f *clientFlags) tls(t *http.Transport) error {
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if f.caFile != "" {
		pem, err := os.ReadFile(f.caFile)
		if err != nil {
			return fmt.Errorf("read --admin-ca: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("--admin-ca: %s holds no PEM certificate", f.caFile)
		}
	}
	if f.certFile == "" && f.keyFile == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(f.certFile, f.keyFile)
	if err != nil {
		return fmt.Errorf("--admin-cert %s with --admin-key %s: %w", f.certFile, f.keyFile, err)
	}
	t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	return nil
}

// get asks for path and decodes the answer into out.
func (c *client) get(ctx context.Context, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	return c.exchange(ctx, http.MethodGet, path, nil, out)
}

// post sends in and decodes the answer into out.
func (c *client) post(ctx context.Context, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	return c.postWithin(ctx, path, in, out)
}

// answerLimit is how long most answers may take.
const answerLimit = 30 * time.Second

// postWithin is post for what may take long: as long as ctx allows.
func (c *client) postWithin(ctx context.Context, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.exchange(ctx, http.MethodPost, path, bytes.NewReader(b), out)
}

func (c *client) exchange(ctx context.Context, method, path string, content io.Reader, out any) error {
	resp, err := c.send(ctx, method, path, "application/json", content)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the answer of %s%s: %w", c.base, path, err)
	}
	return nil
}

// send returns the response of a request that succeeded; its Body is the caller's to close.
func (c *client) send(ctx context.Context, method, path, accept string, content io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	if content != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the node: %w: is anyedge running there, and is --admin its admin.listen?", err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, c.refusal(resp, path)
}

func (c *client) refusal(resp *http.Response, path string) error {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var p admin.Problem
	if json.Unmarshal(b, &p) == nil && p.Error != "" {
		return fmt.Errorf("%s", p.Error)
	}
	return fmt.Errorf("%s%s answers %s", c.base, path, resp.Status)
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// printJSON prints v for programs.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
