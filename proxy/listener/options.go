package listener

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
)

// Options says where one VIP is served. It is part of an entry of the `vips` key.
type Options struct {
	Addresses []netip.Addr `yaml:"addresses"`
	HTTPS     uint16       `yaml:"https"` // TCP (H1, H2) and UDP (H3); 0: not served
	HTTP      uint16       `yaml:"http"`  // 0: not served
	Plain     bool         `yaml:"plain"` // the HTTP port serves instead of redirecting to HTTPS
	// QUICWorkers are the sockets for QUIC at each address, each read by a goroutine of its own. 0: one for each processor
	// that Go may use, up to 8.
	QUICWorkers int `yaml:"quic_workers"`
}

// A reader does no more than to sort; connections run on goroutines of their own, on any processor.
const (
	defaultQUICWorkers = 8 // at most, when the configuration is silent
	maxQUICWorkers     = 64
)

// quicWorkers is how many sockets QUIC gets at each address.
func (c *Config) quicWorkers() int {
	switch {
	case c.Steering == nil: // a client whose address changes may come to another socket, which only steering makes up for
		return 1
	case c.QUICWorkers != 0:
		return c.QUICWorkers
	}
	return min(runtime.GOMAXPROCS(0), defaultQUICWorkers)
}

// Check reports every value that can't be right.
func (o *Options) Check(report func(key, problem string)) {
	if len(o.Addresses) == 0 {
		report("addresses", "is empty: list the addresses that clients use")
	}
	for i, a := range o.Addresses {
		if a.IsUnspecified() || a.IsMulticast() {
			report(fmt.Sprintf("addresses[%d]", i), "must be the address of one host; one socket is bound to each")
		}
	}
	if o.HTTPS != 0 && o.HTTPS == o.HTTP {
		report("http", "is the same port as https")
	}
	if o.QUICWorkers < 0 || o.QUICWorkers > maxQUICWorkers {
		report("quic_workers", fmt.Sprintf("must lie between 1 and %d; without the key there is one for each processor, up to %d", maxQUICWorkers, defaultQUICWorkers))
	}
	if o.Plain && o.HTTP == 0 {
		report("plain", "needs an http port")
	}
	if o.HTTP != 0 && o.HTTPS == 0 && !o.Plain {
		report("http", "redirects to https, which this VIP has not: set https, or plain: true")
	}
}

// Protocol is the HTTP version of a connection, as in an access log.
type Protocol string

// The protocols.
const (
	H1 Protocol = "h1"
	H2 Protocol = "h2"
	H3 Protocol = "h3"
)

// Info is what a request's handlers know of its listener.
type Info struct {
	VIP       string
	TLS       bool
	Plain     bool   // a port without TLS that serves instead of redirecting
	HTTPSPort uint16 // where a redirect leads; 0: nowhere
	// Handshake is closed when the connection's handshake is complete; nil: it was before the first request.
	Handshake <-chan struct{}
}

// Early returns whether the connection's handshake isn't complete yet, so that a request that has come may be one that
// somebody has recorded and sent again.
func (i *Info) Early() bool {
	if i.Handshake == nil {
		return false
	}
	select {
	case <-i.Handshake:
		return false
	default:
		return true
	}
}

// AwaitHandshake waits until the connection's handshake is complete, and returns false if ctx ends before.
func (i *Info) AwaitHandshake(ctx context.Context) bool {
	if i.Handshake == nil {
		return true
	}
	select {
	case <-i.Handshake:
		return true
	case <-ctx.Done():
		return false
	}
}

type infoKey struct{}

// WithInfo returns ctx with info.
func WithInfo(ctx context.Context, info *Info) context.Context {
	return context.WithValue(ctx, infoKey{}, info)
}

// InfoFrom returns what the listener knew of the request with context ctx; the zero Info where it came from none.
func InfoFrom(ctx context.Context) *Info {
	if i, ok := ctx.Value(infoKey{}).(*Info); ok {
		return i
	}
	return &Info{}
}
