//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anyedge/anyedge/bench/lab"
)

// redisPassword is in a file of its own, and must be nowhere else.
const redisPassword = "lab-redis-password"

// helperLimit is how long Redis and BIND may take to start.
const helperLimit = 20 * time.Second

// redisServer is a real Redis beside the origin, over TLS and with a password.
type redisServer struct {
	*lab.Process
	f      *acmeFleet
	config string // a file
}

// redisFor has the nodes of f share a Redis, which start starts.
func redisFor(t *testing.T, f *acmeFleet) *redisServer {
	t.Helper()
	dir := t.TempDir()
	cert, key := f.CA.Issue(lab.Origin4.String())
	r := &redisServer{f: f, config: filepath.Join(dir, "redis.conf")}
	writeFile(t, r.config, execute(t, "redis.conf", map[string]any{
		"Address": lab.Origin4, "Cert": cert, "Key": key, "CA": f.CA.File, "Dir": dir, "Password": redisPassword,
	}))
	password := filepath.Join(dir, "password")
	writeFile(t, password, redisPassword+"\n")
	f.redis = fmt.Sprintf(", redis: {server: %q, username: edge, password_file: %s, tls: true, ca_file: %s, timeout: 500ms, lock_life: 3s}",
		lab.Origin4.String()+":6379", password, f.CA.File)
	return r
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *redisServer) start() {
	r.f.Helper()
	r.Process = r.f.Origin.Start("redis-server", r.config)
	r.f.Await("Redis answers", helperLimit, func() bool { out, err := r.ask("ping"); return err == nil && out == "PONG" })
}

// ask runs redis-cli.
func (r *redisServer) ask(args ...string) (string, error) {
	all := append([]string{"-h", lab.Origin4.String(), "--tls", "--cacert", r.f.CA.File, "--user", "edge", "-a", redisPassword, "--no-auth-warning"}, args...)
	ctx, cancel := within5s()
	defer cancel()
	out, err := r.f.Origin.Exec(ctx, "redis-cli", all...)
	return strings.TrimSpace(out), err
}

// certificates is how many Redis has.
func (r *redisServer) certificates() int {
	out, err := r.ask("--scan", "--pattern", "anyedge/certificates/*")
	if err != nil || out == "" {
		return 0
	}
	return len(strings.Split(out, "\n"))
}

// look has both nodes look at every name at once, as they do by themselves every ten minutes.
func (f *acmeFleet) look() {
	f.Ams.Node.Signal(syscall.SIGHUP)
	f.Fra.Node.Signal(syscall.SIGHUP)
}

// away tells whether a node says that it can't use Redis.
func away(m *lab.Metro) bool {
	s := statusOf(m)
	return s.Storage != nil && s.Storage.Problem != ""
}

// TestACMERedis: nodes that share a Redis start, obtain, serve and restart while it isn't there, bring it what they have when
// it comes and when it has lost everything, and neither a Redis that hangs nor the lock of a dead node holds up anything that
// clients see.
func TestACMERedis(t *testing.T) {
	f := newACMEFleet(t, lab.SiteName, "a.lab.test")
	r := redisFor(t, f)
	f.authority("", time.Hour*24)
	storages := map[*lab.Metro]string{}
	f.waitWays(t)
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		storages[m] = filepath.Join(t.TempDir(), m.Host.Name)
		f.Start(f.settings(m, storages[m]), m)
	}
	f.waitNormal(upLimit)
	first := f.waitServed()
	t.Log("Redis down at the start: both nodes obtain and serve")
	for _, m := range []*lab.Metro{f.Ams, f.Fra} {
		f.Await(m.Host.Name+" says that Redis is away", issueLimit, func() bool { return away(m) })
	}

	r.start()
	f.look()
	f.Await("Redis has what the nodes have", issueLimit, func() bool { return r.certificates() == len(f.hosts) })
	if out, err := r.ask("--scan"); err != nil || !strings.Contains(out, "anyedge/certificates/") {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := r.ask("flushall"); err != nil {
		t.Fatal(err)
	}
	f.look()
	f.Await("what was wiped is back", issueLimit, func() bool { return r.certificates() == len(f.hosts) })

	r.Signal(syscall.SIGSTOP)
	f.look()
	f.Await("a Redis that hangs is told", issueLimit, func() bool { return away(f.Ams) && away(f.Fra) })
	begin := time.Now()
	if got := f.waitServed(); got[lab.SiteName] != first[lab.SiteName] {
		t.Error("another certificate is served")
	}
	t.Logf("Redis hangs: %d handshakes in %v", 2*len(f.hosts), ms(time.Since(begin)))
	r.Signal(syscall.SIGCONT)
	f.look()
	f.Await("a Redis that goes on is used", issueLimit, func() bool { return !away(f.Ams) && !away(f.Fra) })

	r.Kill()
	f.Ams.Node.Kill()
	begin = time.Now()
	f.Start(f.settings(f.Ams, storages[f.Ams]), f.Ams)
	f.Await("ams-1 serves what it had", issueLimit, func() bool { return serial(f.Ams, lab.SiteName) == first[lab.SiteName] })
	t.Logf("Redis dead: restarted → serves its certificates %v", ms(time.Since(begin)))
	if issued, failed := f.orders(); failed > 0 {
		t.Errorf("%v issued, %v in vain since", issued, failed)
	}
	f.tellsNothing(t, storages)
}

// tellsNothing holds all that the nodes have printed, and what their admin APIs say, against the password and the keys.
func (f *acmeFleet) tellsNothing(t *testing.T, storages map[*lab.Metro]string) {
	t.Helper()
	secrets := []string{redisPassword, "PRIVATE KEY"}
	text, err := os.ReadFile(f.secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(text)) {
		if len(word) == 64 {
			secrets = append(secrets, word)
		}
	}
	if len(secrets) < 3 {
		t.Fatal("the test doesn't find the fleet secret")
	}
	for m := range storages {
		said := m.Node.Output()
		for _, path := range []string{"/v1/status", "/v1/config", "/metrics", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2"} {
			text, err := m.Node.Get(path)
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			said += text
		}
		for _, s := range secrets {
			if strings.Contains(said, s) {
				t.Errorf("%s tells a secret that begins with %.4s", m.Host.Name, s)
			}
		}
	}
}
