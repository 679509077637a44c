package acme_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/anyedge/anyedge/tls/acme"
	"github.com/anyedge/anyedge/tls/acme/acmetest"
	"github.com/anyedge/anyedge/tls/acme/redis"
)

// sharing are nodes that share a Redis and don't see each other: each believes that it is on itself to obtain. Their
// challenges are answered by all, as those of nodes that join each other are.
type sharing struct {
	t     *testing.T
	redis *miniredis.Miniredis
	ca    *authority
	first *front
}

func newSharing(t *testing.T) *sharing {
	t.Helper()
	f := startFront(t)
	return &sharing{t, miniredis.RunT(t), startCA(t, f, acmetest.Options{}), f}
}

// front is one more node's.
func (s *sharing) front() *front {
	s.t.Helper()
	return startFrontAt(s.t, "127.0.0.1:0", "127.0.0.1:0", s.first.challenges)
}

func (s *sharing) options() acme.Options {
	s.t.Helper()
	o := options(s.t, s.ca)
	o.Redis = &redis.Options{}
	o.Redis.SetDefaults()
	o.Redis.Server, o.Redis.LockLife, o.Redis.Timeout = s.redis.Addr(), time.Second, patience/6 // it is there, if slow
	return o
}

func (s *sharing) manage(f *front, o acme.Options, node string, hosts ...string) *manager {
	s.t.Helper()
	return startWith(s.t, f, o, sharingAs(node, fleetKey), hosts...)
}

func sharingAs(node string, keys ...[]byte) func(*acme.Config) {
	return func(c *acme.Config) {
		c.Node, c.StorageKeys = node, func() [][]byte { return keys }
	}
}

// sealed tells how many values there are in Redis, all of which must be encrypted.
func (s *sharing) sealed() (n int) {
	s.t.Helper()
	for _, key := range s.redis.Keys() {
		if !strings.Contains(key, "/lock/") {
			n++
			isSealed(s.t, key, []byte(s.redis.HGet(key, "value")))
		}
	}
	return n
}

func isSealed(t *testing.T, what string, value []byte) {
	t.Helper()
	if !bytes.HasPrefix(value, []byte("anyedge sealed 1\n")) || bytes.Contains(value, []byte("PRIVATE KEY")) {
		t.Errorf("%s is not encrypted", what)
	}
}

// filesAreSealed checks all that a node has stored.
func filesAreSealed(t *testing.T, o acme.Options) {
	t.Helper()
	n := 0
	must(t, filepath.WalkDir(o.Storage, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		n++
		text, err := os.ReadFile(path)
		isSealed(t, path, text)
		return err
	}))
	if n < 5 {
		t.Errorf("%d files: the test looks at the wrong place", n)
	}
}

func serial(f *front, host string) string {
	if c := f.served(host); c != nil {
		return c.SerialNumber.String()
	}
	return ""
}

// TestTwoLeaders: nodes that all believe to lead place one order for each name, with one account, and serve the same.
func TestTwoLeaders(t *testing.T) {
	t.Parallel()
	s := newSharing(t)
	hosts := []string{"one.example.com", "two.example.com", "three.example.com"}
	a, b := s.first, s.front()
	oa, ob := s.options(), s.options()
	ma, mb := s.manage(a, oa, "a", hosts...), s.manage(b, ob, "b", hosts...)
	for _, host := range hosts {
		await(t, "both serve "+host, func() bool { return serial(a, host) != "" && serial(a, host) == serial(b, host) })
		await(t, "all is well", func() bool { return ma.of(host).State == acme.Good && mb.of(host).State == acme.Good })
	}
	if n := s.ca.Orders(); n != int64(len(hosts)) {
		t.Errorf("%d orders", n)
	}
	if n := s.sealed(); n < len(hosts) {
		t.Errorf("%d values in Redis", n)
	}
	filesAreSealed(t, oa)
	filesAreSealed(t, ob)
	if n := s.ca.Accounts(); n > 2 { // both may have begun with theirs
		t.Errorf("%d accounts", n)
	}
	await(t, "the account is shared", func() bool { return strings.Contains(strings.Join(s.redis.Keys(), " "), "anyedge/accounts/") })
	c := s.manage(s.front(), s.options(), "c", "four.example.com")
	await(t, "a third node obtains", func() bool { return c.of("four.example.com").State == acme.Good })
	if n := s.ca.Accounts(); n > 2 {
		t.Errorf("the third node registers another account: %d", n)
	}
}

// TestRedisIsDown: a node starts, serves and restarts without it, obtains by itself in the end, and brings what it has when
// Redis comes.
func TestRedisIsDown(t *testing.T) {
	t.Parallel()
	const host = "shop.example.com"
	s := newSharing(t)
	s.redis.SetError("LOADING Redis is loading the dataset in memory")
	o := s.options()
	m := s.manage(s.first, o, "a", host)
	await(t, "it says what it waits for", func() bool {
		return strings.Contains(m.of(host).Problem, "whether another node obtains it isn't known") && strings.Contains(m.of(host).Problem, "LOADING")
	})
	if status := m.Storage(); status == nil || status.Server != s.redis.Addr() || !strings.Contains(status.Problem, "LOADING") || status.Since.IsZero() {
		t.Errorf("%+v", status)
	}
	await(t, "it obtains", func() bool { return s.first.served(host) != nil })
	await(t, "it is told once", func() bool { return strings.Count(m.events(), "are served from this node's copy") == 1 })
	m.end()

	again := s.front()
	quiet := acme.Config{Challenges: again.challenges, Publish: again.store.SetManaged}
	sharingAs("a", fleetKey)(&quiet)
	must(t, acme.NewManager(quiet).Configure(&o, []string{host}))
	if serial(again, host) != serial(s.first, host) {
		t.Error("what is stored isn't served by the time that Configure returns")
	}
	orders := s.ca.Orders()
	m = s.manage(again, o, "a", host)
	s.redis.SetError("")
	await(t, "what it has is shared", func() bool { return s.sealed() > 0 })
	await(t, "all is well", func() bool { return m.Storage().Problem == "" })
	if n := s.ca.Orders(); n != orders {
		t.Errorf("%d more orders", n-orders)
	}
}

// TestRedisIsWiped: nodes bring back what they have, and nothing is obtained anew.
func TestRedisIsWiped(t *testing.T) {
	t.Parallel()
	const host = "shop.example.com"
	s := newSharing(t)
	a, b := s.first, s.front()
	s.manage(a, s.options(), "a", host)
	s.manage(b, s.options(), "b", host)
	await(t, "both serve", func() bool { return serial(a, host) != "" && serial(a, host) == serial(b, host) })
	s.redis.FlushAll()
	await(t, "it is back", func() bool { return s.sealed() > 0 })
	c := s.front()
	s.manage(c, s.options(), "c", host)
	await(t, "a new node takes it", func() bool { return serial(c, host) == serial(a, host) })
	if n := s.ca.Orders(); n != 1 {
		t.Errorf("%d orders", n)
	}
}

// TestLockOfADeadNode: it holds a name up for as long as it lives, and says whose it is.
func TestLockOfADeadNode(t *testing.T) {
	t.Parallel()
	const host, lock = "shop.example.com", "anyedge/lock/certificate shop.example.com"
	s := newSharing(t)
	must(t, s.redis.Set(lock, "dead TOKEN"))
	m := s.manage(s.first, s.options(), "a", host)
	await(t, "whom it waits for", func() bool { return m.of(host).Problem == "dead obtains it" })
	if n := s.ca.Orders(); n != 0 {
		t.Errorf("%d orders", n)
	}
	s.redis.SetTTL(lock, time.Second)
	s.redis.FastForward(2 * time.Second)
	await(t, "it obtains", func() bool { return s.first.served(host) != nil })
}

// TestRenewalWithoutRedis: of nodes that join each other, the first by name renews; what comes of it is in Redis when that is
// back, in place of what was there.
func TestRenewalWithoutRedis(t *testing.T) {
	t.Parallel()
	const host = "shop.example.com"
	n := newTogether()
	a, b := startPlaces(t, n)
	s := &sharing{t, miniredis.RunT(t), startCA(t, a.front, acmetest.Options{Validity: 6 * time.Second}), a.front}
	for _, p := range []struct {
		*place
		name string
	}{{a, "a"}, {b, "b"}} {
		startWith(t, p.front, s.options(), func(c *acme.Config) {
			c.Team = p.team
			sharingAs(p.name, fleetKey)(c)
		}, host)
	}
	await(t, "both serve", func() bool { return same(a, b, host) })
	s.redis.SetError("LOADING")
	first := serial(a.front, host)
	await(t, "both serve another one", func() bool { return same(a, b, host) && serial(a.front, host) != first })
	old := ""
	for _, key := range s.redis.Keys() {
		if strings.Contains(key, "/certificates/") {
			old = s.redis.HGet(key, "value")
		}
	}
	s.redis.SetError("")
	await(t, "the new one is in Redis", func() bool {
		for _, key := range s.redis.Keys() {
			if value := s.redis.HGet(key, "value"); strings.Contains(key, "/certificates/") && value != old {
				return true
			}
		}
		return false
	})
}

// TestSecretChanges: what is stored is encrypted anew under each new key, and another fleet's isn't touched.
func TestSecretChanges(t *testing.T) {
	t.Parallel()
	const host = "shop.example.com"
	next := bytes.Repeat([]byte{9}, 32)
	s := newSharing(t)
	o := s.options()
	m := s.manage(s.first, o, "a", host)
	await(t, "it serves", func() bool { return s.first.served(host) != nil })
	await(t, "it is shared", func() bool { return s.sealed() > 1 })
	m.end()
	before := s.redis.Dump()
	files := func() (all []string) {
		for _, ending := range []string{".crt", ".key", ".json"} {
			text, err := os.ReadFile(storedFile(t, o, host, ending))
			must(t, err)
			all = append(all, string(text))
		}
		return all
	}
	old := files()

	stranger := s.front()
	m = startWith(t, stranger, o, sharingAs("b", next), host)
	await(t, "it says why", func() bool {
		return strings.Contains(m.of(host).Problem, "no key of the fleet secret opens it: bring the former fleet secret back")
	})
	m.end()
	if s.redis.Dump() != before || !slices.Equal(files(), old) {
		t.Error("what another secret opens was changed")
	}

	m = startWith(t, s.first, o, sharingAs("a", next, fleetKey), host)
	await(t, "all is encrypted anew", func() bool {
		now := files()
		return s.redis.Dump() != before && now[0] != old[0] && now[1] != old[1] && now[2] != old[2]
	})
	m.end()
	f := s.front()
	m = startWith(t, f, o, sharingAs("a", next), host)
	await(t, "the new key alone opens it", func() bool { return serial(f, host) == serial(s.first, host) && m.of(host).State == acme.Good })
	if n := s.ca.Orders(); n != 1 {
		t.Errorf("%d orders", n)
	}
	must(t, m.Configure(&o, []string{host, "img.example.com"}))
	await(t, "an account of a former secret isn't missed", func() bool { return f.served("img.example.com") != nil })
}

// TestPlainBecomesSealed: a node that had no Redis keeps what it has, and one that has none any more, too.
func TestPlainBecomesSealed(t *testing.T) {
	t.Parallel()
	const host = "shop.example.com"
	s := newSharing(t)
	plain := options(t, s.ca)
	m := start(t, s.first, plain, host)
	await(t, "it serves", func() bool { return s.first.served(host) != nil })
	m.end()
	o := plain
	o.Redis = s.options().Redis
	m = s.manage(s.first, o, "a", host)
	await(t, "it is shared", func() bool { return s.sealed() > 0 })
	await(t, "its status is good", func() bool { return m.of(host).State == acme.Good })
	m.end()
	text, err := os.ReadFile(storedFile(t, o, host, ".key"))
	must(t, err)
	isSealed(t, "the key", text)

	m = startWith(t, s.first, plain, sharingAs("a", fleetKey), host)
	await(t, "its status is good again", func() bool { return m.of(host).State == acme.Good })
	m.end()
	if len(secrets(t, plain)) == 0 {
		t.Error("the key is still encrypted")
	}
	if n := s.ca.Orders(); n != 1 {
		t.Errorf("%d orders", n)
	}
}
