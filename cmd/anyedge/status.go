package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/anyedge/anyedge/cache"
	"github.com/anyedge/anyedge/cache/disk"
	"github.com/anyedge/anyedge/proxy/origin"
	"github.com/anyedge/anyedge/routing"
	"github.com/anyedge/anyedge/routing/fleet"
	edgetls "github.com/anyedge/anyedge/tls"
	"github.com/anyedge/anyedge/tls/acme"
	"github.com/anyedge/anyedge/tls/secret"
)

// Status is the node at a glance: what /v1/status answers.
type Status struct {
	Node         string                    `json:"node"`
	Metro        string                    `json:"metro,omitempty"`
	Version      string                    `json:"version"`
	Started      time.Time                 `json:"started"`
	Config       ConfigStatus              `json:"config"`
	VIPs         []VIPStatus               `json:"vips"`
	Peers        []routing.Peer            `json:"peers"`
	Origins      []origin.Status           `json:"origins"`
	Cache        cache.Stats               `json:"cache"`
	Disks        []disk.Stats              `json:"disks,omitempty"`
	Certificates []edgetls.CertificateInfo `json:"certificates"`
	ACME         []acme.Status             `json:"acme,omitempty"`         // the names whose certificates are obtained
	ACMEStorage  *acme.StorageStatus       `json:"acme_storage,omitempty"` // what the nodes share
	Report       *routing.Report           `json:"report,omitempty"`       // what other nodes read of it
	Nodes        []NodeStatus              `json:"nodes,omitempty"`        // the others
	Fleet        *fleet.Status             `json:"fleet,omitempty"`        // by gossip
	FleetSecret  []secret.Description      `json:"fleet_secret,omitempty"`
	Steering     *SteeringStatus           `json:"steering,omitempty"`
	Rescue       *RescueStatus             `json:"tcp_rescue,omitempty"`
	Upgrade      *UpgradeStatus            `json:"upgrade,omitempty"` // under way, not over, or the last, if it failed
}

// NodeStatus is what this node knows of another one, over all VIPs.
type NodeStatus struct {
	Name  string `json:"name"`
	Metro string `json:"metro,omitempty"`
	State string `json:"state"` // up: it could take over for every VIP; warn: for some; down: for none
	Text  string `json:"text"`  // for each VIP its level there, and what is in the way of its taking over
	// Told is when it last told about itself, Answered when its data plane last answered this node for every VIP; zero: it
	// never has.
	Told     time.Time `json:"told,omitzero"`
	Answered time.Time `json:"answered,omitzero"`
}

// ConfigStatus says which configuration is live, and what was wrong with the last that was refused.
type ConfigStatus struct {
	File      string     `json:"file"`
	Loaded    time.Time  `json:"loaded"`
	Mistake   string     `json:"mistake,omitempty"`
	MistakeAt *time.Time `json:"mistake_at,omitempty"`
}

// VIPStatus is one VIP in one line.
type VIPStatus struct {
	Name      string        `json:"name"`
	Addresses []string      `json:"addresses"`
	Announce  []string      `json:"announce"`
	Level     routing.Level `json:"level"`
	LevelName string        `json:"level_name"`
	Since     time.Time     `json:"since"`
	Text      string        `json:"text"` // the reason, in words
	// Blackhole is there while peers are asked to drop what is sent to its addresses.
	Blackhole *routing.Blackhole `json:"blackhole,omitempty"`
}

func newStatus() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{
		Use:   "status",
		Short: "The node at a glance: VIPs, peers, origins, cache, certificates, the configuration",
		Args:  cobra.NoArgs,
	}
	f.register(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := f.client()
		if err != nil {
			return err
		}
		var s Status
		if err := api.get(c.Context(), "/v1/status", &s); err != nil {
			return err
		}
		if f.json {
			return printJSON(c.OutOrStdout(), s)
		}
		return s.write(c.OutOrStdout(), time.Now())
	}
	return c
}

// write prints the status for people.
func (s Status) write(out io.Writer, now time.Time) error {
	fmt.Fprintf(out, "node %s in %s, anyedge %s, up %s\n", s.Node, firstOf(s.Metro, "no metro"), s.Version, age(now, s.Started))
	fmt.Fprintf(out, "config %s, loaded %s ago\n", s.Config.File, age(now, s.Config.Loaded))
	if s.Config.Mistake != "" {
		fmt.Fprintf(out, "REFUSED at the last reload, %s ago:\n  %s\n", age(now, *s.Config.MistakeAt), strings.ReplaceAll(s.Config.Mistake, "\n", "\n  "))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	s.Upgrade.write(w, now)
	for _, v := range s.VIPs {
		fmt.Fprintf(w, "vip\t%s\t%s\tfor %s\t%s\n", v.Name, v.LevelName, age(now, v.Since), v.Text)
		if h := v.Blackhole; h != nil {
			fmt.Fprintf(w, "\t\tblackholed\tfor %s\tanother %s: %s\n", age(now, h.Since), age(h.Until, now), h.Reason)
		}
	}
	for _, p := range s.Peers {
		fmt.Fprintf(w, "peer\t%s\t%s\tfor %s\tAS%d, %s%s%s\n", p.Name, p.State, age(now, p.Since), p.ASN, count(len(p.AdjOut), "route"), liveness(p.BFD), dash(p.LastError))
	}
	for _, o := range s.Origins {
		for _, server := range o.Servers {
			fmt.Fprintf(w, "origin\t%s\t%s\tfor %s\t%s, %d in flight%s\n", o.Name, server.State, age(now, server.Since), server.URL, server.InFlight, dash(server.LastError))
		}
	}
	for _, n := range s.Nodes {
		fmt.Fprintf(w, "node\t%s\t%s\t%s\t%s; told %s, answered here %s\n", n.Name, n.State, firstOf(n.Metro, "no metro"), n.Text,
			ago(now, n.Told), ago(now, n.Answered))
	}
	fmt.Fprintf(w, "cache\t%s\t%s\t%s\t%s; %s\n", count(s.Cache.Responses, "response"), size(s.Cache.Bytes), count(s.Cache.Hits, "hit"),
		ratios(s.Cache.SiteStats), forwarded(s.Cache))
	writeSites(w, s.Cache.Sites)
	for _, d := range s.Disks {
		fmt.Fprintf(w, "disk\t%s\t%s\t%s\t%s of %s%s\n", d.Disk, d.State, count(d.Records, "record"), size(d.Bytes), size(d.Size), dash(d.Reason))
	}
	for _, c := range s.Certificates {
		fmt.Fprintf(w, "cert\t%s\tuntil %s\t%s\t%s%s\n", strings.Join(c.Names, " "), c.NotAfter.Format(time.DateOnly), c.Key, firstOf(c.File, c.Authority, "made here"), dash(c.Warning))
	}
	for _, a := range s.ACME {
		if a.State != acme.Good {
			fmt.Fprintf(w, "acme\t%s\t%s\t%s\t%s\n", a.Name, a.State, again(now, a), firstOf(strings.ReplaceAll(a.Problem, "\n", "; "), "under way"))
		}
	}
	if a := s.ACMEStorage; a != nil && a.Problem != "" {
		fmt.Fprintf(w, "acme storage\taway for %s\t%s\n", age(now, a.Since), a.Problem)
	}
	writeFleet(w, s.Fleet, now)
	for _, row := range append(s.Steering.rows(), s.Rescue.rows()...) {
		fmt.Fprintln(w, row)
	}
	for _, d := range s.FleetSecret {
		fmt.Fprintf(w, "secret\t%d\t%s\t%s\n", d.Number, d.Role, d.Fingerprint)
	}
	return w.Flush()
}

// liveness is what BFD says of a peer, where it is asked.
func liveness(b *routing.BFD) string {
	if b == nil {
		return ""
	}
	return ", " + b.String()
}

// again is when a certificate is tried for again.
func again(now time.Time, a acme.Status) string {
	if a.NextTry.After(now) {
		return "again in " + age(a.NextTry, now).String()
	}
	return "now"
}

// mostSites is how many sites are listed, those with the most requests; --json has all.
const mostSites = 20

// writeSites tells how each site's requests fared, where there are several.
func writeSites(w io.Writer, sites map[string]cache.SiteStats) {
	if len(sites) < 2 {
		return
	}
	names := slices.SortedFunc(maps.Keys(sites), func(a, b string) int {
		return cmp.Or(cmp.Compare(sites[b].Requests, sites[a].Requests), cmp.Compare(a, b))
	})
	for _, name := range names[:min(len(names), mostSites)] {
		s := sites[name]
		fmt.Fprintf(w, "site\t%s\t%s\t%s\t%s\n", name, count(s.Requests, "request"), count(s.Hits, "hit"), ratios(s))
	}
	if more := len(names) - mostSites; more > 0 {
		fmt.Fprintf(w, "\t%d more\n", more)
	}
}

// ratios are the hit ratios.
func ratios(s cache.SiteStats) string {
	return fmt.Sprintf("%.0f%% of requests, %.0f%% of octets", 100*s.HitRatio(), 100*s.ByteHitRatio())
}

// forwarded lists the requests that went to the origin, by reason.
func forwarded(s cache.Stats) string {
	var list []string
	for _, why := range slices.Sorted(maps.Keys(s.Forwarded)) {
		if n := s.Forwarded[why]; n > 0 {
			list = append(list, fmt.Sprintf("%s %d", why, n))
		}
	}
	return "forwarded: " + firstOf(strings.Join(list, ", "), "none")
}

// age is how long ago t was, to the second.
// ago prints how long t is past; never for the zero time.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return age(now, t).String() + " ago"
}

func age(now, t time.Time) time.Duration { return now.Sub(t).Round(time.Second) }

// count is n of what, in a word that ends with s when there are several.
func count[N int | int64 | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// size prints n bytes in the unit that leaves few digits.
func size[N int | int64 | uint64](n N) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

func dash(s string) string {
	if s == "" {
		return ""
	}
	return " – " + s
}
