package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os/signal"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/routing/bgp/bgptest"
	edgetls "github.com/anyedge/anyedge/tls"
)

// demoHost is the site that the demo serves; its certificate names localhost as well.
const demoHost = "shop.example.com"

// demoStep is how long any one thing of the story may take; beyond it the step didn't happen.
const demoStep = 20 * time.Second

// demoConfig is a real configuration; only the ports and the haste are a demo's.
var demoConfig = template.Must(template.New("demo.yaml").Parse(`node: {name: demo-1, metro: loopback, address: 127.0.0.1}

vips:
  www: {addresses: [127.0.0.1], announce: [198.51.100.0/24], https: {{.HTTPS}}, http: {{.HTTP}}}

origins:
  shop: {servers: ["http://{{.Origin}}"], probe: {path: /healthz, interval: 250ms, timeout: 250ms}}

sites:
  shop: {hosts: [` + demoHost + `, localhost], origin: shop, cache: {stale_if_error: 1h}}

routing: {path_fall: 1s, rise: 2s, warm_up: 1s, drain_lead: 1s}

bgp:
  asn: 64512
  router_id: 127.0.0.1
  lab: true
  peers: [{name: router, address: 127.0.0.1, port: {{.BGP}}, asn: 64496}]

admin: {listen: "{{.Admin}}"}
log: {level: error, access: off}
`))

type demoPorts struct {
	HTTPS, HTTP, BGP uint16
	Origin, Admin    string
}

func newDemo() *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "A whole front door on loopback: origin, edge and BGP router; then it stays up to be tried",
		Long: `Demo starts an origin, an edge with a certificate that it makes, and a BGP router, all in this process on loopback:
no root, no files, no internet. It tells what happens with real requests over H1, H2 and H3 while the origin dies
and returns, shows the router's table at each turn, and then stays up.`,
		Example: "  anyedge demo\n  anyedge demo --once",
		GroupID: "node",
		Args:    cobra.NoArgs,
	}
	c.Flags().BoolVar(&once, "once", false, "end after the story: 0 if every step happened, 1 if not")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		d, err := newDemoFleet(c.OutOrStdout())
		if err != nil {
			return err
		}
		defer d.close()
		if err := d.story(ctx); err != nil {
			if ctx.Err() != nil {
				return nil // the reader has seen enough
			}
			return err
		}
		if !once {
			d.invite()
			<-ctx.Done()
		}
		return nil
	}
	return c
}

// demo is an origin, an edge and a router in one process.
type demo struct {
	out    io.Writer
	ports  demoPorts
	config string
	origin *demoOrigin
	router *bgptest.Router
	node   *node
	stop   context.CancelFunc
	ended  chan error
	roots  *x509.CertPool
}

func newDemoFleet(out io.Writer) (_ *demo, err error) {
	d := &demo{out: out, ended: make(chan error, 1), roots: x509.NewCertPool()}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.origin, err = startDemoOrigin(); err != nil {
		return nil, err
	}
	if d.router, err = bgptest.Start(bgptest.Options{ASN: 64496, PeerASN: 64512}, discardLog()); err != nil {
		return nil, err
	}
	if d.ports, err = d.choosePorts(); err != nil {
		return nil, err
	}
	var text strings.Builder
	if err := demoConfig.Execute(&text, d.ports); err != nil {
		return nil, err
	}
	d.config = text.String()
	return d, d.startNode()
}

func (d *demo) startNode() error {
	pair, leaf, err := edgetls.SelfSigned(demoHost, "localhost", "127.0.0.1")
	if err != nil {
		return err
	}
	d.roots.AddCert(leaf)
	cfg, err := configs.Parse("demo.yaml", []byte(d.config))
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if d.node, err = newNode(cfg, "demo.yaml", log); err != nil {
		return err
	}
	if err := d.node.certs.Add(pair); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	go func() { d.ended <- d.node.Run(ctx) }() // close waits for it
	return nil
}

// close ends everything that was started, in order.
func (d *demo) close() {
	if d.stop != nil {
		d.node.hurryOnce()
		d.stop()
		if err := <-d.ended; err != nil {
			d.say("The edge stopped with: %v", err)
		}
	}
	if d.router != nil {
		d.router.Close()
	}
	if d.origin != nil {
		d.origin.close()
	}
}

// choosePorts prefers the usual port for the admin API, so that the commands work without a flag.
func (d *demo) choosePorts() (demoPorts, error) {
	https, err1 := freePort()
	http, err2 := freePort()
	admin := strings.TrimPrefix(defaultAdmin, "http://")
	if ln, err := net.Listen("tcp", admin); err == nil {
		_ = ln.Close()
	} else {
		admin = "127.0.0.1:0"
	}
	return demoPorts{HTTPS: https, HTTP: http, BGP: d.router.Port(), Origin: d.origin.address, Admin: admin}, errors.Join(err1, err2)
}

// freePort returns a port of loopback that is free for TCP and UDP. It isn't one of those that the kernel gives to whoever
// asks for any, which somebody may get before it is bound again.
func freePort() (uint16, error) {
	const tries, from, to = 100, 10_000, 30_000
	for range tries {
		port := from + rand.IntN(to-from)
		ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			continue
		}
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		_ = ln.Close()
		if err != nil {
			continue
		}
		_ = udp.Close()
		return uint16(port), nil
	}
	return 0, errors.New("find a free port: none is free for both TCP and UDP")
}

func (d *demo) clientTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: d.roots, ServerName: demoHost}
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }
