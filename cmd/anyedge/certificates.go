package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/configs"
)

// certificateInterval is how often certificates are held against the names that they are for: they change by reloads, and
// expire.
const certificateInterval = time.Second

// watchCertificates tells the signals which names lack a good certificate until ctx ends.
func (n *node) watchCertificates(ctx context.Context) error {
	tick := time.NewTicker(certificateInterval)
	defer tick.Stop()
	told := map[string]string{}
	for {
		cfg := n.config()
		if n.awaited(cfg) != *n.checked.Load() {
			n.recheck()
		}
		for _, vip := range slices.Sorted(maps.Keys(cfg.VIPs)) {
			names := slices.DeleteFunc(namesOf(cfg, vip), func(host string) bool { return onDemand(cfg, host) })
			bad := n.uncovered(names, cfg.Health.CertificateExpiry)
			detail := fmt.Sprint(len(names), bad)
			if cfg.VIPs[vip].HTTPS == 0 || len(names) == 0 || told[vip] == detail {
				continue
			}
			told[vip] = detail
			n.tracker.Certificates(vip, len(bad), len(names), strings.Join(bad[:min(len(bad), 3)], "; "))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// namesOf are the host names of the sites on vip, sorted.
func namesOf(cfg *configs.Config, vip string) []string {
	var names []string
	for _, s := range cfg.Sites {
		if on(s, vip) {
			names = append(names, s.Hosts...)
		}
	}
	names = slices.DeleteFunc(names, func(h string) bool { return h == "*" })
	slices.Sort(names)
	return slices.Compact(names)
}

// uncovered says of each name without a good certificate what is wrong.
func (n *node) uncovered(names []string, expiry time.Duration) (bad []string) {
	now := time.Now()
	for _, name := range names {
		until, ok := n.certs.Until(name, now)
		switch {
		case !ok:
			bad = append(bad, "no certificate covers "+name)
		case !now.Before(until):
			bad = append(bad, fmt.Sprintf("that of %s expired %s", name, until.UTC().Format(time.DateTime)))
		case until.Sub(now) < expiry:
			bad = append(bad, fmt.Sprintf("that of %s expires %s", name, until.UTC().Format(time.DateTime)))
		}
	}
	return bad
}
