package main

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/anyedge/anyedge/routing/steer/nattest"
)

// roamer is a client that speaks H3 from behind a NAT.
type roamer struct {
	*nattest.NAT
	e         *edge
	transport *http3.Transport
	dials     int
}

func (e *edge) roamer() *roamer {
	e.t.Helper()
	r := &roamer{NAT: nattest.New(e.t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), e.https)), e: e}
	r.transport = &http3.Transport{
		TLSClientConfig: e.client().clientTLS(),
		Dial: func(ctx context.Context, to string, config *tls.Config, qconfig *quic.Config) (*quic.Conn, error) {
			r.dials++
			return quic.DialAddrEarly(ctx, to, config, qconfig)
		},
	}
	e.t.Cleanup(func() { _ = r.transport.Close() })
	return r
}

// get asks over the one connection that the roamer has.
func (r *roamer) get(host, path string) {
	r.e.t.Helper()
	req, err := http.NewRequestWithContext(r.e.t.Context(), http.MethodGet, "https://"+r.Addr().String()+path, nil)
	if err != nil {
		r.e.t.Fatal(err)
	}
	req.Host = host
	resp, err := r.transport.RoundTrip(req)
	if err != nil {
		r.e.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || r.dials != 1 {
		r.e.t.Fatalf("%s, after connecting %d times", resp.Status, r.dials)
	}
}
