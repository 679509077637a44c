//go:build lab

package lab_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// A name server of its own stands beside each metro's node, at an anycast address that the nodes announce for it.
var (
	dnsPrefix  = netip.MustParsePrefix("203.0.113.0/24")
	dnsAddress = netip.MustParseAddr("203.0.113.53")
)

const dnsVIP = `dns: {addresses: [203.0.113.53], announce: [203.0.113.0/24], probes: [{dns: "203.0.113.53:53", query: "example.com. SOA", expect: NOERROR, timeout: 200ms}]}`

// A metro is announced for its name server while that answers right: not while its zone is broken, it is dead, or it
// hangs. The site's VIP has nothing to do with it.
func TestNameServer(t *testing.T) {
	f := assemble(t)
	s := lab.Quick()
	s.VIPs = dnsVIP
	f.Start(s, f.Ams, f.Fra)
	f.waitNormal(upLimit)
	f.Ams.Host.Address(dnsAddress)
	f.Fra.Host.Address(dnsAddress)

	begin := time.Now()
	ams := startNamed(t, f.Ams, brokenZone)
	startNamed(t, f.Fra, goodZone)
	up := f.core.WaitVia(dnsPrefix, "edge-fra", upLimit)
	t.Logf("name server started → the world's forwarding table: %v", ms(up.Sub(begin)))
	asked := ask(t, f.Client)
	asked.waitAnswers(f, "fra-1", 5)
	f.explains(t, f.Ams, "SERVFAIL")

	begin = time.Now()
	ams.writeZone(goodZone)
	ams.Signal(syscall.SIGHUP)
	back := f.core.WaitVia(dnsPrefix, "edge-ams", upLimit)
	t.Logf("its zone repaired → the world's: %v", ms(back.Sub(begin)))
	asked.waitAnswers(f, "ams-1", 5)

	begin = time.Now()
	ams.Kill()
	f.leaves(t, "killed", begin)
	asked.waitAnswers(f, "fra-1", 5)
	f.explains(t, f.Ams, "connection refused")

	ams = startNamed(t, f.Ams, goodZone)
	f.comesBack(t)
	begin = time.Now()
	ams.Signal(syscall.SIGSTOP)
	f.leaves(t, "hangs", begin)
	f.explains(t, f.Ams, "nothing within 200ms")
	ams.Signal(syscall.SIGCONT)
	f.comesBack(t)

	failed, all := asked.stop()
	t.Logf("clients, a query each 50ms: %d of %d failed", failed, all)
	if f.waitAnnounced(f.Ams, moveLimit); failed > all/4 {
		t.Error("that is more than the time that a fall takes explains")
	}
}

// comesBack waits until the world is led to ams again, whose damping an operator forgives: two falls within a minute would
// keep it depreferred for ten.
func (f *fleet) comesBack(t *testing.T) {
	t.Helper()
	f.Await("the name server is back", upLimit, func() bool {
		if _, err := f.Ams.Node.CLI("undamp", "dns"); err != nil {
			t.Error(err)
		}
		return slices.ContainsFunc(f.core.Table(), func(r lab.Route) bool {
			return r.Prefix == dnsPrefix && slices.ContainsFunc(r.Hops, func(h lab.Hop) bool { return h.Dev == "edge-ams" })
		})
	})
}

// leaves waits until the world is led to fra.
func (f *fleet) leaves(t *testing.T, what string, begin time.Time) {
	t.Helper()
	gone, moved := f.ams.WaitNotVia(dnsPrefix, "ams-1", moveLimit), f.core.WaitVia(dnsPrefix, "edge-fra", moveLimit)
	t.Logf("name server %s → BIRD's forwarding table: %v, the world's: %v (interval 100ms, timeout 200ms, 3 failures)",
		what, ms(gone.Sub(begin)), ms(moved.Sub(begin)))
}

// explains waits until a metro's node says why it doesn't announce the name server: the world may be led elsewhere before
// the node has seen the cause.
func (f *fleet) explains(t *testing.T, m *lab.Metro, why string) {
	t.Helper()
	var text string
	f.Await("the node explains: "+why, moveLimit, func() bool {
		var err error
		if text, err = m.Node.CLI("explain", "dns"); err != nil {
			t.Error(err)
		}
		return strings.Contains(text, "service_probe") && strings.Contains(text, why)
	})
	t.Logf("explain:\n%s", text)
}

// goodZone is a zone that tells which node's server answers, and brokenZone none. (id.server would tell as well, but BIND
// limits the rate of its answers.)
const (
	goodZone = `$TTL 60
@	IN SOA ns hostmaster 1 3600 600 86400 60
	IN NS ns
ns	IN A 203.0.113.53
node	IN TXT %s
`
	brokenZone = "@ IN SOA %s"
)

// named is a running BIND.
type named struct {
	*lab.Process
	t         *testing.T
	node, dir string
}

// startNamed starts BIND beside a metro's node, with a zone's file.
func startNamed(t *testing.T, m *lab.Metro, zone string) named {
	t.Helper()
	n := named{t: t, node: m.Host.Name, dir: t.TempDir()}
	n.writeZone(zone)
	config := execute(t, "named.conf", map[string]any{"Address": dnsAddress, "Dir": n.dir})
	n.write("named.conf", config)
	n.Process = m.Host.Start("named", "-g", "-n", "1", "-c", filepath.Join(n.dir, "named.conf"))
	return n
}

func (n named) writeZone(text string) { n.write("example.com.zone", fmt.Sprintf(text, n.node)) }

func (n named) write(file, text string) {
	n.t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, file), []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// queries is a client that asks the anycast address again and again which server answers.
type queries struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex // guards the following field
	answers []string   // the server's name, empty for none
}

func ask(t *testing.T, client *lab.Host) *queries {
	ctx, cancel := context.WithCancel(t.Context())
	q := &queries{cancel: cancel}
	tick := time.NewTicker(50 * time.Millisecond)
	q.done.Go(func() {
		defer tick.Stop()
		for ctx.Err() == nil {
			out, err := client.Exec(ctx, "dig", "+short", "+time=1", "+tries=1", "@"+dnsAddress.String(), "node.example.com.", "TXT")
			if err != nil {
				out = ""
			}
			q.add(ctx, strings.Trim(strings.TrimSpace(out), `"`))
			<-tick.C
		}
	})
	t.Cleanup(func() { q.stop() })
	return q
}

func (q *queries) add(ctx context.Context, name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if ctx.Err() == nil {
		q.answers = append(q.answers, name)
	}
}

// waitAnswers waits until the last n answers came from one server.
func (q *queries) waitAnswers(f *fleet, server string, n int) {
	f.Helper()
	f.Await(server+" answers queries", moveLimit, func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		if len(q.answers) < n {
			return false
		}
		for _, a := range q.answers[len(q.answers)-n:] {
			if a != server {
				return false
			}
		}
		return true
	})
}

// stop ends the queries and tells how many of how many got no answer.
func (q *queries) stop() (failed, all int) {
	q.cancel()
	q.done.Wait()
	for _, a := range q.answers {
		if a == "" {
			failed++
		}
	}
	return failed, len(q.answers)
}
