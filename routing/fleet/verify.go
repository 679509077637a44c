package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// VIP is what must be known of a VIP to ask for it at another node.
type VIP struct {
	Name       string
	ServerName string // a host that it serves
	// HTTPS and HTTP are its ports, 0 for none. One with neither can't be asked: the other node's word must do.
	HTTPS, HTTP uint16
}

// prober asks other nodes' data planes. What comes is what a client would get of a page that isn't stored.
type prober struct{ http *http.Client }

// newProber returns a prober for all nodes. A new connection each time: an old one would prove nothing of the listener.
func newProber() *prober {
	t := &http.Transport{
		Proxy: nil, DisableKeepAlives: true, DialContext: dialTo, ForceAttemptHTTP2: false,
		TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true, // private authorities are fine; the name and the dates are checked below
			VerifyConnection:   covers, MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true,
		},
	}
	return &prober{&http.Client{Transport: t, Timeout: askLimit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// where is the key of the address to dial in a request's context: its URL has the VIP's name.
type where struct{}

func dialTo(ctx context.Context, network, _ string) (net.Conn, error) {
	at, _ := ctx.Value(where{}).(netip.AddrPort)
	return (&net.Dialer{Timeout: askLimit}).DialContext(ctx, network, at.String())
}

// covers checks that the certificate is within its dates and has the name that was asked for.
func covers(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("no certificate was sent")
	}
	leaf := state.PeerCertificates[0]
	if now := time.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return fmt.Errorf("its certificate is valid from %s to %s", leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly))
	}
	return leaf.VerifyHostname(state.ServerName)
}

// verify asks node for vip at its own address. The answer must bear the node's name: only-if-cached (RFC 9111 §5.2.1.7)
// brings the request through listener, limits and site to the cache, and to no origin.
func (p *prober) verify(ctx context.Context, n Node, vip VIP) error {
	if !n.Address.IsValid() {
		return errors.New("its address isn't known")
	}
	scheme, port := "https", vip.HTTPS
	if port == 0 {
		scheme, port = "http", vip.HTTP
	}
	if port == 0 {
		return nil
	}
	host := vip.ServerName
	if host == "" {
		host = n.Address.String()
	}
	ctx = context.WithValue(ctx, where{}, netip.AddrPortFrom(n.Address, port))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+host+"/", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Cache-Control", "only-if-cached")
	req.Header.Set("User-Agent", "anyedge-fleet")
	resp, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	return bears(resp, n.Name)
}

// separates says whether r stands between the words of those fields.
func separates(r rune) bool { return strings.ContainsRune(` ,;"=()`, r) }

// bears says whether a response has come through node: its name is in Cache-Status (RFC 9211), Proxy-Status (RFC 9209)
// or Via, or it redirects to https, which only the node's own listener does.
func bears(resp *http.Response, node string) error {
	for _, field := range []string{"Cache-Status", "Proxy-Status", "Via"} {
		for _, value := range resp.Header.Values(field) {
			if slices.Contains(strings.FieldsFunc(value, separates), node) {
				return nil
			}
		}
	}
	if resp.Request.URL.Scheme == "http" && resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil
	}
	return errors.New("answered " + resp.Status + " without the node's name: does its address lead to another one?")
}
