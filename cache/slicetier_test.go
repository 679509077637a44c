package cache_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/cache"
)

// hourly is a film that stays fresh for long enough to be kept on disk.
func hourly(size int64) *film {
	o := newFilm(size)
	o.fields[0] = "Cache-Control: max-age=3600"
	return o
}

// TestSlicesAreWarmAfterRestart: head and slices come back, and what wasn't there yet completes them.
func TestSlicesAreWarmAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := newShelf(), hourly(10<<30)
		c, stop := tiered(t, s)
		v, _ := watch(handle(c, o), 0, "Range: bytes=1048576-3145727")
		v.check(t, 206, 2*mebi, "fwd=uri-miss; fwd-status=206; stored")
		stop()

		c, stop = tiered(t, s.restarted())
		h := handle(c, o)
		o.octets.Store(0)
		v, _ = watch(h, 0, "Range: bytes=1048570-3145727")
		v.check(t, 206, 2*mebi+6, "fwd=partial; fwd-status=206; ttl=3600; stored")
		v, _ = watch(h, 0, "Range: bytes=2097152-3145727")
		v.check(t, 206, mebi, "hit; ttl=3600")
		if got := o.octets.Load(); got != mebi {
			t.Errorf("the origin gave %d octets", got)
		}
		time.Sleep(time.Hour)
		v, _ = watch(h, 0, "Range: bytes=0-99")
		v.check(t, 206, 100, "fwd=stale; fwd-status=304; stored")
		stop()

		// Validated or not: the slices are as good as their head.
		c, _ = tiered(t, s.restarted())
		o.octets.Store(0)
		v, _ = watch(handle(c, o), 0, "Range: bytes=2097152-3145727")
		if v.status != 206 || v.wrong >= 0 || o.octets.Load() > 0 {
			t.Errorf("%+v, the origin gave %d octets", v, o.octets.Load())
		}
	})
}

// TestDamagedSlice: a slice that can't be read comes from the origin, wherever it breaks off.
func TestDamagedSlice(t *testing.T) {
	for _, from := range []int64{0, 700_000} {
		s, o := newShelf(), hourly(10<<30)
		c, stop := tiered(t, s)
		watch(handle(c, o), 0, "Range: bytes=0-3145727")
		stop()
		s = s.restarted()
		s.damage = func(key string, at int64) error {
			if at >= from && strings.HasSuffix(key, ".1") {
				return errors.New("damaged")
			}
			return nil
		}
		c, stop = tiered(t, s)
		o.octets.Store(0)
		v, aborted := watch(handle(c, o), 0, "Range: bytes=0-3145727")
		if aborted || v.status != 206 || v.wrong >= 0 || v.written != 3*mebi || o.octets.Load() != mebi {
			t.Errorf("aborted %t, %+v, the origin gave %d octets", aborted, v, o.octets.Load())
		}
		stop()
	}
}

// TestPurgedSlicesStayDead: also after a restart.
func TestPurgedSlicesStayDead(t *testing.T) {
	for _, p := range []cache.PurgeRequest{{URLs: []string{"http://example.com/film"}}, {Prefixes: []string{"example.com/"}}, {Tags: []string{"big"}}, {All: true}} {
		s, o := newShelf(), hourly(10<<30)
		o.fields = append(o.fields, "Cache-Tag: big")
		c, stop := tiered(t, s)
		watch(handle(c, o), 0, "Range: bytes=0-1048575")
		if _, err := c.Purge(p); err != nil {
			t.Fatal(err)
		}
		stop()
		c, stop = tiered(t, s.restarted())
		o.octets.Store(0)
		v, _ := watch(handle(c, o), 0, "Range: bytes=0-1048575")
		if v.status != http.StatusPartialContent || o.octets.Load() != mebi {
			t.Errorf("%+v: %+v, the origin gave %d octets", p, v.header, o.octets.Load())
		}
		stop()
	}
}

// TestChangedContentLeavesTheStore: what the origin no longer has doesn't come back from there.
func TestChangedContentLeavesTheStore(t *testing.T) {
	s, o := newShelf(), hourly(10<<30)
	c, stop := tiered(t, s)
	h := handle(c, o)
	watch(h, 0, "Range: bytes=0-1048575")
	o.version.Store(1)
	for range 2 {
		v, _ := watch(h, 1, "Range: bytes=1048576-1048577")
		if v.status != 206 || v.wrong >= 0 || v.header.Get("Etag") != `"v1"` {
			t.Errorf("%+v", v)
		}
	}
	v, _ := watch(h, 1, "Range: bytes=0-9")
	if v.wrong >= 0 || v.header.Get("Etag") != `"v1"` {
		t.Errorf("%+v", v)
	}
	stop()
}
