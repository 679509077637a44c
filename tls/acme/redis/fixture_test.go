package redis_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/anyedge/anyedge/tls/acme/redis"
)

// options are those of a store in s.
func options(s *miniredis.Miniredis) redis.Options {
	var o redis.Options
	o.SetDefaults()
	o.Server = s.Addr()
	return o
}

// open opens a store until the test's end.
func open(t *testing.T, o redis.Options, owner string) *redis.Store {
	t.Helper()
	s, err := redis.New(o, owner)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func await(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !met(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 60s: " + what)
		}
	}
}
