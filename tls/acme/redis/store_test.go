package redis_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/anyedge/anyedge/tls/acme/redis"
)

func TestValues(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	s, ctx := open(t, options(server), "a"), t.Context()
	values := map[string]string{"c/x/one": "1", "c/x/two": "2", "c/y/three": "3", "c*/x": "4", "d": "5"}
	for key, value := range values {
		must(t, s.Store(ctx, key, []byte(value)))
	}
	must(t, s.Lock(ctx, "c/x"))
	for key, value := range values {
		got, err := s.Load(ctx, key)
		must(t, err)
		info, err := s.Stat(ctx, key)
		must(t, err)
		if string(got) != value || !info.IsTerminal || info.Size != 1 || time.Since(info.Modified).Abs() > time.Minute {
			t.Errorf("%s: %q %+v", key, got, info)
		}
	}
	f := func(path string, recursive bool, want ...string) {
		t.Helper()
		got, err := s.List(ctx, path, recursive)
		if !slices.Equal(got, want) || (err == nil) == (want == nil) {
			t.Errorf("below %q: %q, %v", path, got, err)
		}
	}
	f("c", true, "c/x/one", "c/x/two", "c/y/three")
	f("c", false, "c/x", "c/y")
	f("c*", true, "c*/x")
	f("", false, "c", "c*", "d")
	f("nothing", true)
	if info, err := s.Stat(ctx, "c/x"); err != nil || info.IsTerminal || !s.Exists(ctx, "c/x") {
		t.Errorf("a directory: %+v, %v", info, err)
	}
	must(t, s.Delete(ctx, "c/x"))
	must(t, s.Delete(ctx, "c/x"))
	f("c", true, "c/y/three")
	for _, err := range []error{
		func() error { _, err := s.Load(ctx, "c/x/one"); return err }(),
		func() error { _, err := s.Stat(ctx, "c/x"); return err }(),
	} {
		if !errors.Is(err, fs.ErrNotExist) || redis.IsAway(err) {
			t.Errorf("of what isn't there: %v", err)
		}
	}
	for _, key := range server.Keys() {
		if !strings.HasPrefix(key, "anyedge/") {
			t.Errorf("%s is outside of the prefix", key)
		}
	}
}

// TestAway: a call that fails says so, those after it don't wait, and it is used again when it is back.
func TestAway(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	s, ctx := open(t, options(server), "a"), t.Context()
	must(t, s.Store(ctx, "k", []byte("v")))
	server.SetError("LOADING Redis is loading the dataset in memory")
	_, err := s.Load(ctx, "k")
	if !redis.IsAway(err) || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), server.Addr()+": LOADING") {
		t.Errorf("%v", err)
	}
	if since, away := s.Away(); away == nil || time.Since(since) > time.Minute {
		t.Errorf("%v since %v", away, since)
	}
	if _, err := s.TryLock(ctx, "k"); !redis.IsAway(err) {
		t.Errorf("a lock: %v", err)
	}
	server.SetError("")
	await(t, "it is used again", func() bool { v, err := s.Load(ctx, "k"); return err == nil && string(v) == "v" })
	if _, away := s.Away(); away != nil {
		t.Errorf("still away: %v", away)
	}
}

// TestSilent: a server that takes connections and says nothing costs one call its time, and the next one nothing.
func TestSilent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	var o redis.Options
	o.SetDefaults()
	o.Server, o.Timeout = l.Addr().String(), 100*time.Millisecond
	s := open(t, o, "a")
	if _, err := s.Load(t.Context(), "k"); !redis.IsAway(err) {
		t.Errorf("%v", err)
	}
	first, _ := s.Away()
	for range 1000 { // at 100 ms each they would take longer than any test
		if _, err := s.Load(t.Context(), "k"); !redis.IsAway(err) {
			t.Fatalf("%v", err)
		}
	}
	if since, _ := s.Away(); !since.Equal(first) {
		t.Error("it was thought to be back")
	}
}

// TestPassword: it is read from a file, and in no error.
func TestPassword(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	server.RequireUserAuth("edge", "right-password")
	file := filepath.Join(t.TempDir(), "password")
	o := options(server)
	o.Username, o.PasswordFile = "edge", file
	must(t, os.WriteFile(file, []byte("wrong-password\n"), 0o600))
	err := open(t, o, "a").Store(t.Context(), "k", nil)
	if !redis.IsAway(err) || !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), "wrong-password") {
		t.Errorf("%v", err)
	}
	must(t, os.WriteFile(file, []byte("right-password\n"), 0o600))
	must(t, open(t, o, "a").Store(t.Context(), "k", nil))
}

func TestCheck(t *testing.T) {
	t.Parallel()
	f := func(set func(*redis.Options), want ...string) {
		t.Helper()
		var o redis.Options
		o.SetDefaults()
		o.Server = "redis.example.com:6379"
		set(&o)
		var got []string
		o.Check(func(key, _ string) { got = append(got, key) })
		o.CheckFiles(func(key, _ string) { got = append(got, key) })
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty")
	must(t, os.WriteFile(empty, nil, 0o600))
	f(func(*redis.Options) {})
	f(func(o *redis.Options) { o.Server = "redis.example.com" }, "server")
	f(func(o *redis.Options) { o.Server = ":6379" }, "server")
	f(func(o *redis.Options) { o.Database, o.Prefix = -1, "" }, "database", "prefix")
	f(func(o *redis.Options) { o.Timeout, o.LockLife = 0, 2*time.Hour }, "lock_life", "timeout")
	f(func(o *redis.Options) { o.ServerName, o.CAFile = "x", empty }, "ca_file", "server_name")
	f(func(o *redis.Options) { o.TLS, o.CAFile = true, empty }, "ca_file")
	f(func(o *redis.Options) { o.PasswordFile = empty }, "password_file")
	f(func(o *redis.Options) { o.PasswordFile = empty + "-not" }, "password_file")
}
