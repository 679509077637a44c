package origin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errTest = errors.New("connection refused")

// fails makes n requests fail at s, one after the other.
func (p *Pool) fails(s *server, n int) {
	for range n {
		p.failed(s, time.Now(), "test", errTest)
	}
}

// picks says how many of n choices fall on each server; the places are given back.
func picks(p *Pool, n int) map[*server]int {
	counts := map[*server]int{}
	for range n {
		p.mu.Lock()
		if s := p.pick(time.Now(), nil); s != nil {
			counts[s]++
		}
		p.mu.Unlock()
	}
	return counts
}

// pickAndTake is a request that got a place, or nil where the server in question has none to give.
func pickAndTake(p *Pool, s *server) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !s.usable(now) {
		return false
	}
	s.take(now)
	return true
}

func TestEjectionDoublesAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := small(t, 4)
		s := p.servers[0]
		p.fails(s, 4)
		if s.state() == Ejected {
			t.Fatal("ejected after 4 failures, want 5")
		}
		p.fails(s, 1)
		for _, want := range []time.Duration{5, 10, 20, 40, 80, 80} {
			want *= time.Second
			if s.state() != Ejected || time.Until(s.ejectedUntil) != want {
				t.Fatalf("state %s for %s, want ejected for %s", s.state(), time.Until(s.ejectedUntil), want)
			}
			time.Sleep(want - time.Nanosecond)
			if s.usable(time.Now()) || picks(p, 100)[s] != 0 {
				t.Fatal("used before its time was over")
			}
			time.Sleep(time.Nanosecond)
			p.fails(s, 1) // the first request after it
		}
		time.Sleep(80 * time.Second)
		p.succeeded(s, time.Now(), "2xx")
		if s.state() != Unprobed || s.ejections != 0 {
			t.Errorf("after a success: %s, %d ejections in a row", s.state(), s.ejections)
		}
	})
}

func TestTrialsComeOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := small(t, 4)
		s := p.servers[0]
		p.fails(s, 5)
		if pickAndTake(p, s) {
			t.Error("ejected, and taken")
		}
		time.Sleep(5 * time.Second)
		if !pickAndTake(p, s) || pickAndTake(p, s) {
			t.Error("want one trial, and no second beside it")
		}
		time.Sleep(trialInterval)
		if !pickAndTake(p, s) {
			t.Error("a trial that takes long keeps others away")
		}
		p.succeeded(s, time.Now(), "2xx")
		for range 2 {
			if !pickAndTake(p, s) {
				t.Error("readmitted, and not used")
			}
		}
	})
}

// Requests from before an ejection say nothing about the server after it.
func TestOldNewsIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := small(t, 4)
		s := p.servers[0]
		old := time.Now()
		time.Sleep(time.Second)
		p.fails(s, 5)
		p.succeeded(s, old, "2xx")
		if s.state() != Ejected {
			t.Error("an old success readmitted the server")
		}
		time.Sleep(6 * time.Second)
		p.failed(s, old, "test", errTest)
		if s.ejections != 1 {
			t.Error("an old failure ejected the server again")
		}
	})
}

func TestSuccessEndsARowOfFailures(t *testing.T) {
	p := small(t, 2)
	for range 10 {
		p.fails(p.servers[0], 4)
		p.succeeded(p.servers[0], time.Now(), "2xx")
	}
	if p.servers[0].state() == Ejected {
		t.Error("ejected without 5 failures in a row")
	}
}

func TestPanicThreshold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := small(t, 4)
		for _, c := range []struct{ ejected, used int }{{0, 4}, {1, 3}, {2, 2}, {3, 4}, {4, 4}} {
			for _, s := range p.servers[:c.ejected] {
				if s.state() != Ejected {
					p.fails(s, 5)
				}
			}
			if n := len(picks(p, 1000)); n != c.used {
				t.Errorf("with %d of 4 ejected, %d are used, want %d", c.ejected, n, c.used)
			}
		}
		p.options.Ejection.Panic = 0
		if n := len(picks(p, 1000)); n != 4 {
			t.Errorf("with no server left, %d are used, want all", n)
		}
	})
}

func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := small(t, 2)
		p.options.Concurrency.Max = 1000
		back, other := p.servers[0], p.servers[1]
		for _, good := range []bool{true, false, true} {
			back.turn(time.Now(), good)
		}
		other.turn(time.Now(), true)
		share := func() int {
			back.inFlight, other.inFlight = 0, 0
			for range 110 {
				mustAcquire(t, p)
			}
			return back.inFlight
		}
		begin := share()
		time.Sleep(slowStart / 2)
		half := share()
		time.Sleep(slowStart)
		full := share()
		if begin > 15 || half <= begin || half >= 50 || full < 50 || full > 60 {
			t.Errorf("of 110 requests, the server that came back got %d, %d halfway and %d after slow start", begin, half, full)
		}
	})
}

func TestTheLessLoadedOfTwo(t *testing.T) {
	p := small(t, 2)
	p.options.Concurrency.Max = 1000
	p.servers[0].inFlight = 10
	if n := picks(p, 100)[p.servers[1]]; n != 100 {
		t.Errorf("the idle server got %d of 100", n)
	}
}

func TestProbesAnswers(t *testing.T) {
	o := ProbeOptions{Fall: 3, Rise: 2}
	for _, c := range []struct {
		name, answers string // + good, - bad
		want          State
	}{
		{"none", "", Unprobed},
		{"first good", "+", Up},
		{"first bad", "--", Unprobed},
		{"bad from the start", "---", Down},
		{"good after bad", "--+", Up},
		{"falls", "+---", Down},
		{"falls in a row only", "+--+--", Up},
		{"rises", "+---++", Up},
		{"rises in a row only", "+---+-+", Down},
	} {
		s := small(t, 1).servers[0]
		for _, a := range c.answers {
			err := errTest
			if a == '+' {
				err = nil
			}
			s.answered(time.Now(), o, err)
		}
		if s.probed != c.want {
			t.Errorf("%s: %q leads to %s, want %s", c.name, c.answers, s.probed, c.want)
		}
	}
}

func TestBudgetForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b budget
		spend := func() (n int) {
			for b.spend(time.Now(), 0.2) {
				n++
			}
			return n
		}
		for range 100 {
			b.request(time.Now())
		}
		if n := spend(); n != 20 {
			t.Errorf("100 requests allow %d retries, want 20", n)
		}
		time.Sleep(9 * time.Second)
		if n := spend(); n != 0 {
			t.Errorf("%d more after 9s", n)
		}
		time.Sleep(time.Second)
		if n := spend(); n != budgetFloor {
			t.Errorf("%d after 10s, want %d", n, budgetFloor)
		}
	})
}

// Renewing leaves requests in flight alone.
func TestRenew(t *testing.T) {
	s := small(t, 1).servers[0]
	before := *s.transports.Load()
	s.renew()
	if now := s.transports.Load(); now.usual == before.usual || now.upgrades == before.upgrades || now.plain == before.plain && now.plain != nil {
		t.Error("new requests use the old connections")
	}
}

// An earlier try that is slow to notice its end takes nothing from a later one.
func TestUploadBelongsToTheNewestTry(t *testing.T) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPut, "/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if newUpload(r) != nil || !newUpload(r).repeatable() {
		t.Error("no content is a content")
	}
	r.Body = &octets{}
	u := newUpload(r)
	first, _ := u.next()
	second, err := u.next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, errOver) {
		t.Errorf("the earlier try read: %v", err)
	}
	if n, err := second.Read(make([]byte, keptContent+1)); err != nil || n <= keptContent {
		t.Errorf("the newest try: %v", err)
	}
	if u.repeatable() {
		t.Error("a content of which much was read counts as repeatable")
	}
	if _, err := u.next(); !errors.Is(err, errSpent) {
		t.Errorf("a third try got %v", err)
	}
}

type octets struct{}

func (*octets) Read(b []byte) (int, error) { return len(b), nil }
func (*octets) Close() error               { return nil }

// client is a content that comes as a test wants, and then ends.
type client struct {
	comes  chan string
	err    error // what it ends with
	closed atomic.Int32
}

func (c *client) Read(b []byte) (int, error) {
	if s, ok := <-c.comes; ok {
		return copy(b, s), nil
	}
	return 0, c.err
}

func (c *client) Close() error {
	c.closed.Add(1)
	return nil
}

// The beginning of a content is there for each try, and so is what an earlier one still reads.
func TestUploadIsReadAgain(t *testing.T) {
	c := &client{comes: make(chan string, 1), err: io.EOF}
	u := newUpload(&http.Request{Body: c})
	c.comes <- "one "
	first, _ := u.next()
	b := make([]byte, 100)
	if n, err := first.Read(b); string(b[:n]) != "one " || err != nil {
		t.Fatalf("%q, %v", b[:n], err)
	}
	late := make(chan struct{})
	go func() { // it ends after the next try has begun
		defer close(late)
		_, _ = first.Read(make([]byte, 100))
	}()
	for !u.isRead() {
		runtime.Gosched()
	}
	if !u.repeatable() {
		t.Fatal("it can't be had again")
	}
	_ = first.Close()
	second, err := u.next()
	if err != nil {
		t.Fatal(err)
	}
	c.comes <- "two "
	<-late
	c.comes <- "three"
	close(c.comes)
	if got, err := io.ReadAll(second); string(got) != "one two three" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	third, _ := u.next()
	if got, err := io.ReadAll(third); string(got) != "one two three" || err != nil {
		t.Errorf("the third: %q, %v", got, err)
	}
	if n := c.closed.Load(); n != 0 {
		t.Errorf("closed %d times, amid the tries", n)
	}
	_ = third.Close()
	if u.settle(); c.closed.Load() == 0 {
		t.Error("isn't closed after the last")
	}
}

// isRead tells whether somebody reads the content.
func (u *upload) isRead() bool {
	if u.reading.TryLock() {
		u.reading.Unlock()
		return false
	}
	return true
}

// A content that failed isn't sent again.
func TestUploadThatFailed(t *testing.T) {
	c := &client{comes: make(chan string, 1), err: errors.New("the client has gone")}
	u := newUpload(&http.Request{Body: c})
	c.comes <- "one "
	close(c.comes)
	first, _ := u.next()
	if _, err := io.ReadAll(first); !errors.Is(err, c.err) || !errors.Is(u.failure(), c.err) {
		t.Errorf("%v, %v", err, u.failure())
	}
	if u.repeatable() {
		t.Error("it is said to be repeatable")
	}
}
