package redis_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/anyedge/anyedge/tls/acme/redis"
)

// TestLock: one at a time has it, others see who, and it is theirs when it is released.
func TestLock(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	a, b, ctx := open(t, options(server), "a"), open(t, options(server), "b"), t.Context()
	must(t, a.Lock(ctx, "x"))
	for _, s := range []*redis.Store{a, b} {
		if ok, err := s.TryLock(ctx, "x"); ok || err != nil {
			t.Errorf("twice: %v, %v", ok, err)
		}
	}
	if holder, err := b.Holder(ctx, "x"); holder != "a" || err != nil {
		t.Errorf("held by %q, %v", holder, err)
	}
	if err := b.Unlock(ctx, "x"); err == nil {
		t.Error("another one's lock was released")
	}
	locked := make(chan error)
	go func() { locked <- b.Lock(ctx, "x") }()
	must(t, a.Unlock(ctx, "x"))
	must(t, <-locked)
	soon, cancel := context.WithCancel(ctx)
	cancel()
	if err := a.Lock(soon, "x"); err == nil {
		t.Error("a lock was taken after the end")
	}
	must(t, b.Close())
	await(t, "closing releases it", func() bool { ok, err := a.TryLock(ctx, "x"); return ok && err == nil })
}

// TestLockIsRenewed: it outlives its life while it is held, and no longer.
func TestLockIsRenewed(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	o := options(server)
	o.LockLife = time.Second
	a, b, ctx := open(t, o, "a"), open(t, o, "b"), t.Context()
	must(t, a.Lock(ctx, "x"))
	for range 3 {
		server.FastForward(900 * time.Millisecond)
		await(t, "it is renewed", func() bool { return server.TTL("anyedge/lock/x") == time.Second })
	}
	if ok, _ := b.TryLock(ctx, "x"); ok {
		t.Error("a lock that is renewed has ended")
	}

	// What a dead node left.
	must(t, server.Set("anyedge/lock/y", "dead TOKEN"))
	server.SetTTL("anyedge/lock/y", time.Second)
	if holder, _ := b.Holder(ctx, "y"); holder != "dead" {
		t.Errorf("held by %q", holder)
	}
	server.FastForward(2 * time.Second)
	if ok, err := b.TryLock(ctx, "y"); !ok || err != nil {
		t.Errorf("a dead node's lock: %v, %v", ok, err)
	}
}

// TestLockIsLost: one that another node has taken meanwhile isn't taken back and not released; one that has gone with
// everything else is taken again.
func TestLockIsLost(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	o := options(server)
	o.LockLife = time.Second
	a, ctx := open(t, o, "a"), t.Context()
	must(t, a.Lock(ctx, "x"))
	server.FlushAll()
	await(t, "it is taken again", func() bool { v, err := server.Get("anyedge/lock/x"); return err == nil && strings.HasPrefix(v, "a ") })

	must(t, server.Set("anyedge/lock/x", "b TOKEN"))
	var gaveUp atomic.Bool
	await(t, "it is given up", func() bool {
		if err := a.Unlock(ctx, "x"); err != nil {
			gaveUp.Store(strings.Contains(err.Error(), "another node") || strings.Contains(err.Error(), "had ended"))
		}
		return gaveUp.Load()
	})
	if v, err := server.Get("anyedge/lock/x"); v != "b TOKEN" || err != nil {
		t.Errorf("another node's lock was released: %q, %v", v, err)
	}
}
