package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/health/probe"
	edgetls "github.com/anyedge/anyedge/tls"
	"github.com/anyedge/anyedge/tls/acme"
	"github.com/anyedge/anyedge/tls/clientauth"
)

// Certificates is what /v1/certs answers.
type Certificates struct {
	Certificates []CertificateStatus `json:"certificates"`
	Missing      []acme.Status       `json:"missing,omitempty"` // names that wait for their first certificate
	Problem      string              `json:"problem,omitempty"` // why files that have changed aren't used
	ECH          []ECHStatus         `json:"ech,omitempty"`
	Clients      []ClientsStatus     `json:"client_certificates,omitempty"`
	Origins      []OriginCertificate `json:"origins,omitempty"`
	VIPs         []VIPDoors          `json:"vips"`
}

// CertificateStatus is a certificate that is served, and what becomes of it.
type CertificateStatus struct {
	edgetls.CertificateInfo
	From    string    `json:"from"` // file, acme, on demand (by acme as well) or made here
	Renewal time.Time `json:"renewal,omitzero"`
	NextTry time.Time `json:"next_try,omitzero"`
	Problem string    `json:"problem,omitempty"` // of the last try to renew it, in the authorities' words
}

// ECHStatus is a key of Encrypted Client Hello, without the key.
type ECHStatus struct {
	ConfigID    uint8    `json:"config_id"`
	PublicNames []string `json:"public_names"`
	List        string   `json:"list"` // as the HTTPS records have it
}

// ClientsStatus says whose certificates a site takes.
type ClientsStatus struct {
	Site string `json:"site"`
	clientauth.Status
}

// OriginCertificate is what an origin's servers are shown.
type OriginCertificate struct {
	Origin   string    `json:"origin"`
	File     string    `json:"file"`
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after"`
}

// VIPDoors is where a VIP is served over TLS, by TCP and QUIC.
type VIPDoors struct {
	VIP       string           `json:"vip"`
	Addresses []netip.AddrPort `json:"addresses"`
}

func newCerts() *cobra.Command {
	var f clientFlags
	var host, caFile string
	c := &cobra.Command{
		Use:   "certs",
		Short: "The certificates: names, issuer, expiry, where from, next renewal, last error",
		Long: `Certs lists what the node serves, what it waits for, and what it shows origins. With --test it makes handshakes for
a host at each VIP, over TCP and QUIC, from where the command runs, and shows what a client gets; it exits with 1 where a
handshake fails, or a client would refuse the certificate.`,
		Example: "  anyedge certs\n  anyedge certs --test shop.example.com",
		Args:    cobra.NoArgs,
	}
	f.register(c)
	c.Flags().StringVar(&host, "test", "", "the host to make handshakes for")
	c.Flags().StringVar(&caFile, "ca", "", "PEM file of the authorities that a client trusts (default: the system's)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := f.client()
		if err != nil {
			return err
		}
		var all Certificates
		if err := api.get(c.Context(), "/v1/certs", &all); err != nil {
			return err
		}
		if host != "" {
			return testHost(c, all, host, caFile, f.json)
		}
		if f.json {
			return printJSON(c.OutOrStdout(), all)
		}
		return all.write(c.OutOrStdout(), time.Now())
	}
	return c
}

// write prints the certificates for people.
func (all Certificates) write(out io.Writer, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range all.Certificates {
		fmt.Fprintf(w, "cert\t%s\tuntil %s\t%s\t%s\t%s%s\n", strings.Join(c.Names, " "), days(now, c.NotAfter), c.Key, c.Issuer,
			firstOf(c.File, c.Authority, c.From), dash(strings.Join(c.remarks(now), "; ")))
	}
	for _, m := range all.Missing {
		fmt.Fprintf(w, "cert\t%s\tnone yet\t\t\t%s%s\n", m.Name, again(now, m), dash(inOneLine(m.Problem)))
	}
	for _, k := range all.ECH {
		fmt.Fprintf(w, "ech\t%s\tconfig %d\n", strings.Join(k.PublicNames, " "), k.ConfigID)
	}
	for _, s := range all.Clients {
		fmt.Fprintf(w, "clients\tsite %s\t%s\t%s\n", s.Site, s.Mode, s.CAFile)
		for _, l := range s.Lists {
			fmt.Fprintf(w, "\t%s\t%s, next due %s\t%s%s\n", l.Issuer, count(l.Revoked, "revoked certificate"), days(now, l.Due), l.File, dash(l.Warning))
		}
	}
	for _, o := range all.Origins {
		fmt.Fprintf(w, "origin\t%s\tuntil %s\t%s\t%s\t%s\n", o.Origin, days(now, o.NotAfter), o.Subject, o.Issuer, o.File)
	}
	if all.Problem != "" {
		fmt.Fprintf(w, "NOT RELOADED\t%s\n", inOneLine(all.Problem))
	}
	return w.Flush()
}

// remarks are what is to be known besides.
func (c CertificateStatus) remarks(now time.Time) (list []string) {
	if c.From == "on demand" {
		list = append(list, c.From)
	}
	if !c.Renewal.IsZero() {
		list = append(list, "to be renewed "+days(now, c.Renewal))
	}
	if c.Problem != "" {
		list = append(list, inOneLine(c.Problem))
	}
	if c.Warning != "" {
		list = append(list, c.Warning)
	}
	return list
}

func inOneLine(text string) string { return strings.ReplaceAll(text, "\n", "; ") }

// days is a day, and how far it is.
func days(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return fmt.Sprintf("%s (%dd)", t.UTC().Format(time.DateOnly), int(t.Sub(now).Hours()/24))
}

// tested is what a client gets at a VIP.
type tested struct {
	VIP string `json:"vip"`
	probe.Handshake
}

// testTimeout is how long one handshake may take.
const testTimeout = 5 * time.Second

func testHost(c *cobra.Command, all Certificates, host, caFile string, asJSON bool) error {
	hello := probe.Hello{ServerName: host}
	if caFile != "" {
		b, err := os.ReadFile(caFile)
		if err != nil {
			return fmt.Errorf("read --ca: %w", err)
		}
		hello.Roots = x509.NewCertPool()
		if !hello.Roots.AppendCertsFromPEM(b) {
			return fmt.Errorf("--ca: %s holds no PEM certificate", caFile)
		}
	}
	if len(all.ECH) > 0 {
		list, err := base64.StdEncoding.DecodeString(all.ECH[0].List)
		if err != nil {
			return fmt.Errorf("read the node's ECH list: %w", err)
		}
		hello.ECH = list
	}
	results := shakeAll(c.Context(), all.VIPs, hello)
	if asJSON {
		if err := printJSON(c.OutOrStdout(), results); err != nil {
			return err
		}
	} else {
		writeTested(c.OutOrStdout(), results, time.Now())
	}
	if slices.ContainsFunc(results, func(t tested) bool { return t.Error != "" || t.Mistrust != "" }) {
		return errors.New("a client would not be served everywhere: see above")
	}
	return nil
}

func shakeAll(ctx context.Context, vips []VIPDoors, hello probe.Hello) (results []tested) {
	for _, v := range vips {
		for _, a := range v.Addresses {
			for _, shake := range []func(context.Context, netip.AddrPort, probe.Hello) probe.Handshake{probe.ShakeTCP, probe.ShakeQUIC} {
				ctx, cancel := context.WithTimeout(ctx, testTimeout)
				results = append(results, tested{v.VIP, shake(ctx, a, hello)})
				cancel()
			}
		}
	}
	return results
}

func writeTested(out io.Writer, results []tested, now time.Time) {
	for _, t := range results {
		fmt.Fprintf(out, "%s %s over %s, %s\n", t.VIP, t.Address, t.Transport, t.Took.Round(time.Millisecond/10))
		if t.Error != "" {
			fmt.Fprintf(out, "  FAILED    %s\n", t.Error)
			continue
		}
		fmt.Fprintf(out, "  agreed    %s, %s, %s, ALPN %s\n", t.Version, t.Suite, t.Curve, firstOf(t.ALPN, "none"))
		for _, l := range t.Chain {
			fmt.Fprintf(out, "  chain     %s, by %s, until %s\n", firstOf(strings.Join(l.Names, " "), l.Subject), l.Issuer, days(now, l.NotAfter))
		}
		fmt.Fprintf(out, "  ECH       %s\n", yes(t.ECH, "accepted", "not used"))
		fmt.Fprintf(out, "  OCSP      %s\n", yes(t.Stapled, "stapled", "not stapled"))
		if t.AsksForCertificate {
			fmt.Fprintf(out, "  asks for a client certificate\n")
		}
		if t.Mistrust != "" {
			fmt.Fprintf(out, "  REFUSED   by a client: %s\n", t.Mistrust)
		}
	}
}

func yes(is bool, then, otherwise string) string {
	if is {
		return then
	}
	return otherwise
}
