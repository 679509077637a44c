package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/anyedge/anyedge/configs"
	"github.com/anyedge/anyedge/tls/acme"
)

// newACME makes what obtains certificates, and lets the store answer the challenges that come over TLS.
func (n *node) newACME(cfg *configs.Config) {
	n.challenges = acme.NewLocal()
	if len(cfg.Fleet.Join) > 0 {
		n.team = acme.NewTeam(cfg.Node.Name, certificateFleet{n}, func() [][]byte { return n.secret.Load().CertificateKeys() }, n.log)
		n.challenges = n.team
	}
	n.certs.AnswerChallenges(n.challenges.Certificate)
	n.acme = acme.NewManager(acme.Config{
		Node: cfg.Node.Name, StorageKeys: n.storageKeys, Serves: n.serves,
		Challenges: n.challenges, Team: n.team, Publish: n.certs.SetManaged, Registry: n.registry, Journal: n.journal, Log: n.log,
	})
	n.certs.OnUncovered(n.acme.Demand)
}

// serves tells whether a site that has https serves name, in lower case.
func (n *node) serves(name string) bool {
	l := n.live.Load()
	if l == nil {
		return false // it isn't built yet, and nobody can ask
	}
	for vip, v := range l.cfg.VIPs {
		if v.HTTPS != 0 && l.chain.Serves(vip, name) {
			return true
		}
	}
	return false
}

// storageKeys are what seals stored certificates; none without a fleet secret.
func (n *node) storageKeys() [][]byte {
	if s := n.secret.Load(); s != nil {
		return s.StorageKeys()
	}
	return nil
}

// certificateFleet is how those that obtain certificates reach each other.
type certificateFleet struct{ n *node }

// topicCertificates is what they say to each other.
const topicCertificates = "certificates"

// Others are the other nodes that are there.
func (f certificateFleet) Others() (names []string, settled bool) { return f.n.fleet.Alive() }

// Send brings a message to one of them.
func (f certificateFleet) Send(node string, message []byte) error {
	return f.n.fleet.Say(node, topicCertificates, message)
}

// hear takes what another node says.
func (n *node) hear(from, topic string, text []byte) {
	if topic == topicCertificates && n.team != nil {
		n.team.Receive(from, text)
	}
}

// obtain keeps the certificates that cfg asks for good from now on. Those that are stored are served when it returns.
func (n *node) obtain(cfg *configs.Config) error {
	if cfg.TLS.ACME == nil {
		return n.acme.Configure(nil, nil)
	}
	return n.acme.Configure(cfg.TLS.ACME, n.obtained(cfg))
}

// obtained are the names to obtain certificates for.
func (n *node) obtained(cfg *configs.Config) (names []string) {
	if len(cfg.TLS.ACME.Hosts) > 0 {
		return cfg.TLS.ACME.Hosts
	}
	for vip, v := range cfg.VIPs {
		if v.HTTPS != 0 {
			names = append(names, namesOf(cfg, vip)...)
		}
	}
	for i := range names {
		names[i] = strings.ToLower(names[i])
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return n.certs.HasOwn(name) || !cfg.TLS.ACME.Obtainable(name)
	})
}

// answerChallenges puts the authorities' questions ahead of what a plain port does.
func (n *node) answerChallenges(next http.Handler) http.Handler {
	return acme.Handler(n.challenges, next)
}

// awaitsFirst tells whether vip has no certificate at all yet and ACME is to bring one. The authority then has to reach
// its plain port: with a check of what can't work yet, it would never be announced.
func (n *node) awaitsFirst(cfg *configs.Config, vip string) bool {
	if cfg.TLS.ACME == nil || cfg.VIPs[vip].HTTP == 0 {
		return false
	}
	if n.demandedOn(vip) != "" {
		return false
	}
	missing := false
	for _, name := range namesOf(cfg, vip) {
		if _, ok := n.certs.Until(name, time.Now()); ok {
			return false
		}
		missing = missing || n.acme.Missing(name) || onDemand(cfg, name)
	}
	return missing
}

// awaited says, by VIP, which name is checked, or that none can be yet.
func (n *node) awaited(cfg *configs.Config) (text string) {
	for _, vip := range slices.Sorted(maps.Keys(cfg.VIPs)) {
		text += fmt.Sprintln(vip, n.checkedName(cfg, vip), n.awaitsFirst(cfg, vip))
	}
	return text
}

// checkedName is the host that a self check of vip asks for: one that has a certificate, where any has.
func (n *node) checkedName(cfg *configs.Config, vip string) string {
	first := serverName(cfg, vip)
	if first == "" && cfg.TLS.StrictSNI {
		first = n.anyName()
	}
	if _, ok := n.certs.Until(first, time.Now()); ok || cfg.TLS.ACME == nil {
		return first
	}
	for _, name := range namesOf(cfg, vip) {
		if _, ok := n.certs.Until(name, time.Now()); ok {
			return strings.Replace(name, "*", "self-check", 1)
		}
	}
	return cmp.Or(n.demandedOn(vip), first)
}

// onDemand tells whether host is a wildcard whose names get certificates as clients ask for them.
func onDemand(cfg *configs.Config, host string) bool {
	o := cfg.TLS.ACME
	return o != nil && o.OnDemand != nil && strings.HasPrefix(host, "*.") && !o.Obtainable(host)
}

// demandedOn is a name on vip that was obtained on demand, or nothing.
func (n *node) demandedOn(vip string) string {
	l := n.live.Load()
	if l == nil {
		return "" // it isn't built yet
	}
	for _, name := range n.acme.Demanded() {
		if _, ok := n.certs.Until(name, time.Now()); ok && l.chain.Serves(vip, name) {
			return name
		}
	}
	return ""
}

// anyName is a host that some certificate covers.
func (n *node) anyName() string {
	for _, c := range n.certs.Certificates() {
		for _, name := range c.Names {
			if _, err := netip.ParseAddr(name); err != nil {
				return strings.Replace(name, "*", "self-check", 1)
			}
		}
	}
	return ""
}

// recheck lets the self checks follow what there is to check.
func (n *node) recheck() {
	for {
		cfg := n.config()
		n.checks.Set(n.selfChecks(cfg), services(cfg))
		if n.config() == cfg {
			return
		}
	}
}
