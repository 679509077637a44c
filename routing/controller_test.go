package routing_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/anyedge/anyedge/health"
	"github.com/anyedge/anyedge/routing"
)

// speaker remembers what it was told.
type speaker struct {
	mu    sync.Mutex
	calls [][]routing.Route
	err   error
	hang  bool // until the context ends
	peers []routing.Peer
}

func (s *speaker) Set(ctx context.Context, routes []routing.Route) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, slices.Clone(routes))
	if s.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.err
}

func (s *speaker) Peers() []routing.Peer { return s.peers }

func (s *speaker) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// last are the routes of the last call.
func (s *speaker) last() []routing.Route {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) == 0 {
		return nil
	}
	return s.calls[len(s.calls)-1]
}

// said are the routes of the last call, as "prefix vip level".
func (s *speaker) said() string {
	var list []string
	for _, r := range s.last() {
		list = append(list, fmt.Sprintf("%s %s %d", r.Prefix, r.VIP, r.Level))
	}
	return strings.Join(list, ", ")
}

func (s *speaker) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// bench is a controller over a real tracker and a speaker that remembers.
type bench struct {
	*routing.Controller
	t       *testing.T
	tracker *health.Tracker
	speaker *speaker
	journal *health.Journal
	stop    context.CancelFunc
}

var (
	v4   = netip.MustParsePrefix("198.51.100.0/24")
	v6   = netip.MustParsePrefix("2001:db8:100::/48")
	dns4 = netip.MustParsePrefix("198.51.101.0/24")
	www  = routing.VIP{Name: "www", Prefixes: []netip.Prefix{v4, v6}, Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.10")}, Origins: []string{"shop"}, SelfChecks: true}
	dns  = routing.VIP{Name: "dns", Prefixes: []netip.Prefix{dns4}}
)

func options() routing.Options {
	var o routing.Options
	o.SetDefaults()
	return o
}

// newBench makes a bench in a synctest bubble; run starts it.
func newBench(t *testing.T, vips ...routing.VIP) *bench {
	var h health.Options
	h.SetDefaults()
	h.SelfCheck.Interval = time.Hour // the bench reports as it pleases, and silence is no news
	b := &bench{t: t, speaker: &speaker{}, journal: health.NewJournal(256)}
	b.tracker = health.NewTracker(h, b.journal)
	b.Controller = routing.NewController(options(), vips, b.tracker, b.speaker, b.journal, slog.New(slog.DiscardHandler))
	return b
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }() // ended by stop
	b.stop = func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	}
	synctest.Wait()
}

// prove has the self check succeed often enough.
func (b *bench) prove(vip string) {
	for range 3 {
		b.tracker.SelfCheck(vip, health.SelfCheck, nil)
	}
	synctest.Wait()
}

func (b *bench) fail(vip string, err error) {
	for range 3 {
		b.tracker.SelfCheck(vip, health.SelfCheck, err)
	}
	synctest.Wait()
}

// announce brings www to level 0.
func (b *bench) announce() {
	b.t.Helper()
	b.tracker.Servers("shop", 2, 2, "")
	b.prove("www")
	b.pass(20 * time.Second)
	b.wantRoutes("198.51.100.0/24 www 0, 2001:db8:100::/48 www 0")
}

// pass lets virtual time pass, and whatever is due at its end happen.
func (b *bench) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (b *bench) wantRoutes(want string) {
	b.t.Helper()
	if got := b.speaker.said(); got != want {
		b.t.Errorf("the speaker was told %q, want %q\n%s", got, want, b.text())
	}
}

func (b *bench) explanation(vip string) routing.Explanation {
	b.t.Helper()
	list, err := b.Explain(vip)
	if err != nil || len(list) != 1 {
		b.t.Fatalf("explain %s: %d, %v", vip, len(list), err)
	}
	return list[0]
}

func (b *bench) text() string {
	list, _ := b.Explain("")
	var all strings.Builder
	for _, e := range list {
		all.WriteString(e.String())
	}
	return all.String()
}

// events are the texts of a kind, oldest first.
func (b *bench) events(kind health.EventKind) []string {
	var texts []string
	for _, e := range b.journal.Since(0) {
		if e.Kind == kind {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

func TestNothingIsAnnouncedBeforeItIsProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		b.run()
		defer b.stop()
		b.pass(time.Hour)
		b.tracker.SelfCheck("www", health.SelfCheck, nil)
		b.tracker.SelfCheck("www", health.SelfCheck, nil)
		b.pass(time.Minute)
		b.wantRoutes("")
		b.tracker.SelfCheck("www", health.SelfCheck, nil)
		synctest.Wait()
		b.wantRoutes("198.51.100.0/24 www 2, 2001:db8:100::/48 www 2")
		b.pass(10*time.Second - 1)
		b.wantRoutes("198.51.100.0/24 www 2, 2001:db8:100::/48 www 2")
		b.pass(1)
		b.wantRoutes("198.51.100.0/24 www 1, 2001:db8:100::/48 www 1")
		b.pass(10 * time.Second)
		b.wantRoutes("198.51.100.0/24 www 0, 2001:db8:100::/48 www 0")
	})
}

func TestOriginDiesAndReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		b.run()
		defer b.stop()
		b.announce()
		calls := b.speaker.count()

		b.tracker.Servers("shop", 0, 2, "connection refused")
		b.pass(3*time.Second - 1)
		b.wantRoutes("198.51.100.0/24 www 0, 2001:db8:100::/48 www 0")
		b.pass(1)
		b.wantRoutes("198.51.100.0/24 www 2, 2001:db8:100::/48 www 2")
		b.pass(time.Hour)
		b.tracker.Servers("shop", 2, 2, "")
		b.pass(time.Minute)
		b.wantRoutes("198.51.100.0/24 www 0, 2001:db8:100::/48 www 0")
		if n := b.speaker.count() - calls; n != 3 {
			t.Errorf("the speaker was told %d times, want only the 3 changes", n)
		}
		want := []string{
			"www: withdrawn → depreferred: warming_up: able to serve",
			"www: depreferred → lightly depreferred: warming_up: well for 10s",
			"www: lightly depreferred → announced: well: all well for 10s",
			"www: announced → depreferred: origin_path_critical: origin shop: origin_probe 100% >= crit 100% (2/2 servers down: connection refused) for 3.0s",
			"www: depreferred → lightly depreferred: rising: well for 30s",
			"www: lightly depreferred → announced: well: all well for 30s",
		}
		if got := b.events(health.EventDecision); !slices.Equal(got, want) {
			t.Errorf("events:\n%s", strings.Join(got, "\n"))
		}
	})
}

// TestDueBetweenTicks: what is due at a time is done at that time, not with the next look.
func TestDueBetweenTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		o := options()
		o.PathFall = 1234 * time.Millisecond
		b.Configure(o, []routing.VIP{www})
		b.run()
		defer b.stop()
		b.announce()
		b.tracker.Servers("shop", 0, 1, "")
		b.pass(o.PathFall - 1)
		b.wantRoutes("198.51.100.0/24 www 0, 2001:db8:100::/48 www 0")
		b.pass(1)
		b.wantRoutes("198.51.100.0/24 www 2, 2001:db8:100::/48 www 2")
	})
}

// TestSelfChecksOfAnotherTime: a VIP that the node no longer serves itself isn't held down by what its checks found.
func TestSelfChecksOfAnotherTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		b.run()
		defer b.stop()
		b.announce()
		b.fail("www", errors.New("connection refused"))
		b.wantRoutes("")
		located := www
		located.SelfChecks = false
		b.Configure(options(), []routing.VIP{located})
		b.pass(time.Minute)
		b.wantRoutes("198.51.100.0/24 www 0, 2001:db8:100::/48 www 0")
	})
}

func TestLocalFailureWithdrawsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		b.run()
		defer b.stop()
		b.announce()
		at := time.Now()
		b.fail("www", errors.New("connection refused"))
		b.wantRoutes("")
		if waited := time.Since(at); waited != 0 {
			t.Errorf("it waited %s", waited)
		}
		b.prove("www")
		b.wantRoutes("198.51.100.0/24 www 2, 2001:db8:100::/48 www 2")
	})
}

func TestSharedPrefixTakesTheWorseLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both := dns
		both.Prefixes = []netip.Prefix{dns4, netip.MustParsePrefix("198.51.100.7/24")} // the host bits don't matter
		b := newBench(t, www, both)
		b.run()
		defer b.stop()
		b.pass(time.Minute)
		b.wantRoutes("198.51.101.0/24 dns 0") // www isn't proven yet
		b.proveWWW("198.51.100.0/24 www 2, 198.51.101.0/24 dns 0, 2001:db8:100::/48 www 2")
		if err := b.Drain("dns", 0, "work"); err != nil {
			t.Fatal(err)
		}
		b.pass(20 * time.Second)
		b.wantRoutes("2001:db8:100::/48 www 0")
		e := b.explanation("www")
		if e.Level != routing.Announced || e.Prefixes[0].Level != routing.Withdrawn || e.Prefixes[0].HeldBy != "dns" || e.Prefixes[1].HeldBy != "" {
			t.Errorf("%+v", e.Prefixes)
		}
		if !strings.Contains(e.String(), "withdrawn, held there by VIP dns, which has it too") {
			t.Errorf("%s", e)
		}
	})
}

// proveWWW has www prove itself, after which the speaker should have been told want.
func (b *bench) proveWWW(want string) {
	b.t.Helper()
	b.prove("www")
	b.wantRoutes(want)
}

func TestSpeakerErrorsAreRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		b.run()
		defer b.stop()
		b.announce()
		b.speaker.fail(errors.New("198.51.100.0/24: not in the allow-list"))
		b.tracker.Servers("shop", 0, 2, "")
		b.pass(3 * time.Second)
		calls := b.speaker.count()
		if e := b.explanation("www"); !strings.Contains(e.SpeakerError, "not in the allow-list") || !strings.Contains(e.String(), "not in the allow-list") {
			t.Errorf("explain doesn't show the error:\n%s", e)
		}
		b.pass(time.Second)
		if n := b.speaker.count() - calls; n != 1 {
			t.Errorf("%d tries after 1s, want 1", n)
		}
		b.pass(10 * time.Minute)
		if n := b.speaker.count() - calls; n < 20 || n > 26 {
			t.Errorf("%d tries after 10m, want one each 30s or so", n)
		}
		if n := b.events(health.EventRoute); len(n) != 1 {
			t.Errorf("%d events for one lasting error: %v", len(n), n)
		}
		b.speaker.fail(nil)
		b.pass(31 * time.Second)
		calls = b.speaker.count()
		b.pass(time.Minute)
		if e := b.explanation("www"); e.SpeakerError != "" || b.speaker.count() != calls {
			t.Errorf("after the repair: %q, %d more calls", e.SpeakerError, b.speaker.count()-calls)
		}
		b.speaker.fail(errors.New("again"))
		b.fail("www", errors.New("connection refused"))
		b.pass(time.Second)
		if n := b.speaker.count() - calls; n != 2 {
			t.Errorf("%d calls within 1s of a new error, want 2: it is retried as if it were the first", n)
		}
	})
}

func TestConfigureKeepsWhatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www, dns)
		b.run()
		defer b.stop()
		b.proveWWW("198.51.100.0/24 www 2, 198.51.101.0/24 dns 2, 2001:db8:100::/48 www 2")
		b.pass(time.Minute)
		since := b.explanation("www").Since
		moved := www
		moved.Prefixes = []netip.Prefix{v4}
		if err := b.Drain("dns", 0, "work"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		calls := b.speaker.count()
		b.Configure(options(), []routing.VIP{moved})
		synctest.Wait()
		b.wantRoutes("198.51.100.0/24 www 0")
		if e := b.explanation("www"); e.Level != routing.Announced || !e.Since.Equal(since) || len(e.History) == 0 {
			t.Errorf("www lost its state: %s", e)
		}
		if _, err := b.Explain("dns"); err == nil {
			t.Error("dns is still explained")
		}
		if got := b.events(health.EventDecision); got[len(got)-1] != "dns: depreferred → withdrawn: removed" {
			t.Errorf("the last event: %s", got[len(got)-1])
		}
		b.Configure(options(), []routing.VIP{moved})
		b.pass(time.Minute)
		if n := b.speaker.count() - calls; n != 2 {
			t.Errorf("%d calls: the speaker should be told once for each configuration, since what it allows may have changed", n)
		}
		b.Configure(options(), []routing.VIP{moved, dns})
		if e := b.explanation("dns"); e.Reason != routing.WarmingUp {
			t.Errorf("dns doesn't begin anew: %s", e)
		}
	})
}

func TestDrainAndUndrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www, dns)
		if err := b.Drain("", 0, "before it runs"); err != nil {
			t.Fatal(err)
		}
		b.run()
		defer b.stop()
		b.prove("www")
		b.pass(time.Minute)
		b.wantRoutes("")
		if err := b.Undrain(""); err != nil {
			t.Fatal(err)
		}
		b.pass(time.Minute)
		b.wantRoutes("198.51.100.0/24 www 0, 198.51.101.0/24 dns 0, 2001:db8:100::/48 www 0")

		for _, err := range []error{b.Drain("ww", 0, ""), b.Undrain("ww"), second(b.Explain("ww"))} {
			if err == nil || err.Error() != `no VIP "ww": there are dns, www` {
				t.Errorf("an unknown VIP: %v", err)
			}
		}

		if err := b.Drain("www", 0, "a new switch"); err != nil {
			t.Fatal(err)
		}
		e := b.explanation("www") // at once, before anything was said
		if e.Level != routing.Depreferred || e.Reason != routing.Draining || !strings.Contains(e.Text, "a new switch") {
			t.Errorf("right after drain: %s", e)
		}
		b.pass(9 * time.Second)
		if err := b.Drain("www", 0, ""); err != nil { // again: it doesn't start anew, nor forget the reason
			t.Fatal(err)
		}
		b.pass(time.Second)
		b.wantRoutes("198.51.101.0/24 dns 0")
		if e := b.explanation("www"); e.Text != "drained: a new switch" {
			t.Errorf("%s", e)
		}

		// All but one.
		if err := errors.Join(b.Drain("", 0, "power"), b.Undrain("www")); err != nil {
			t.Fatal(err)
		}
		b.pass(time.Minute)
		b.wantRoutes("198.51.100.0/24 www 0, 2001:db8:100::/48 www 0")
		if e := b.explanation("dns"); e.Text != "drained: power" {
			t.Errorf("%s", e)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestDrainForATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www, dns)
		b.run()
		defer b.stop()
		b.prove("www")
		b.pass(time.Minute)
		for d, want := range map[time.Duration]string{-time.Second: "drain for -1s: ", 8 * 24 * time.Hour: "up to 168h"} {
			if err := b.Drain("www", d, "x"); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("drain for %s: %v", d, err)
			}
		}
		if err := errors.Join(b.Drain("", 30*time.Minute, "new fans"), b.Drain("dns", 0, "")); err != nil {
			t.Fatal(err)
		}
		b.pass(29 * time.Minute)
		b.wantRoutes("")
		e := b.explanation("www")
		if len(e.Next) != 1 || e.Next[0].Condition != "when the drain ends" || !strings.Contains(e.String(), "new fans") {
			t.Errorf("%s", e)
		}
		b.pass(10 * time.Minute)
		b.wantRoutes("198.51.100.0/24 www 0, 2001:db8:100::/48 www 0") // the last word on dns has no end
		if e := b.explanation("dns"); e.Text != "drained: new fans" {
			t.Errorf("%s", e)
		}
	})
}

// TestDrainOfAllHoldsForNewVIPs: a reload on a drained node announces nothing.
func TestDrainOfAllHoldsForNewVIPs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		b.run()
		defer b.stop()
		b.announce()
		if err := b.Drain("", 0, "power"); err != nil {
			t.Fatal(err)
		}
		b.Configure(options(), []routing.VIP{www, dns})
		b.pass(time.Hour)
		b.wantRoutes("")
	})
}

func TestWithdrawIsForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		b.run()
		b.announce()
		if err := b.Withdraw(t.Context(), "the node is stopping"); err != nil {
			t.Fatal(err)
		}
		b.wantRoutes("")
		b.tracker.Servers("shop", 0, 2, "")
		b.Configure(options(), []routing.VIP{www, dns})
		b.pass(time.Hour)
		b.wantRoutes("")
		if e := b.explanation("www"); e.Text != "stopped: the node is stopping" || e.Level != routing.Withdrawn {
			t.Errorf("%s", e)
		}
		b.stop()
		if err := b.Withdraw(t.Context(), ""); err != nil { // after Run as well
			t.Error(err)
		}
	})
}

// TestWithdrawIsBounded: a speaker that hangs doesn't hang the end of the process.
func TestWithdrawIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		b.run()
		defer b.stop()
		b.announce()
		b.speaker.mu.Lock()
		b.speaker.hang = true
		b.speaker.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		at := time.Now()
		if err := b.Withdraw(ctx, "stopping"); !errors.Is(err, context.DeadlineExceeded) || time.Since(at) != time.Second {
			t.Errorf("%v after %s", err, time.Since(at))
		}
		// And while Run itself waits for the speaker, nobody else does.
		b.pass(time.Second)
		at = time.Now()
		if e := b.explanation("www"); e.Level != routing.Withdrawn || time.Since(at) != 0 {
			t.Errorf("%s after %s", e.LevelName, time.Since(at))
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www, dns)
		b.tracker.Retain(nil, []string{"www"})
		b.run()
		defer b.stop()
		b.proveWWW("198.51.100.0/24 www 2, 198.51.101.0/24 dns 2, 2001:db8:100::/48 www 2")
		r := prometheus.NewPedanticRegistry()
		r.MustRegister(b.Collector(), b.tracker.Collector())
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range families {
			for _, m := range f.GetMetric() {
				var labels []string
				for _, l := range m.GetLabel() {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				}
				value := m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
				got = append(got, fmt.Sprintf("%s{%s} %g", f.GetName(), strings.Join(labels, ","), value))
			}
		}
		want := []string{
			"anyedge_health_signal_grade{signal=self_check,subject=www} 1",
			"anyedge_health_signal_value{signal=self_check,subject=www} 0",
			"anyedge_routing_decision_to_speaker_seconds{} 2", // dns, then both
			"anyedge_routing_level{vip=dns} 2",
			"anyedge_routing_level{vip=www} 2",
			"anyedge_routing_penalty{vip=dns} 0",
			"anyedge_routing_penalty{vip=www} 0",
			"anyedge_routing_refusing_fills{} 0",
			"anyedge_routing_shedding{} 0",
			"anyedge_routing_speaker_errors_total{} 0",
			"anyedge_routing_transitions_total{from=4,reason=warming_up,to=2,vip=dns} 1",
			"anyedge_routing_transitions_total{from=4,reason=warming_up,to=2,vip=www} 1",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s", strings.Join(got, "\n"))
		}
	})
}

// others is a view that tests set.
type others struct{ fleet *routing.Fleet }

func (o *others) View(string) *routing.Fleet { return o.fleet }

// TestOverloadIsSentElsewhere: load sheds at once, is sent elsewhere step by step, to peers that still get the route.
func TestOverloadIsSentElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, www)
		b.Consult(&others{&routing.Fleet{Metro: "ams", Load: 1e9, Nodes: []routing.Node{{Name: "fra-1", Metro: "fra", Headroom: 5e9}}}})
		o := options()
		o.Shed, o.RefuseFills = []string{"peering"}, true
		b.Configure(o, []routing.VIP{www})
		b.run()
		defer b.stop()
		b.announce()
		if b.Shedding() {
			t.Error("sheds without load")
		}
		for range 100 {
			b.tracker.Load([]health.Figure{{Name: health.CPU, Subject: health.WholeNode, Value: .97}})
			b.pass(time.Second)
		}
		e := b.explanation("www")
		if !b.Refusing() || !strings.Contains(e.String(), "what only an origin could answer is refused") {
			t.Errorf("fills aren't refused: %s", e)
		}
		if !b.Shedding() || e.Level != routing.PartlyWithdrawn || !strings.Contains(e.Text, "withheld from peering") {
			t.Errorf("%s", e)
		}
		b.speaker.mu.Lock()
		last := b.speaker.calls[len(b.speaker.calls)-1]
		b.speaker.mu.Unlock()
		if len(last) != 2 || !slices.Equal(last[0].Withheld, o.Shed) {
			t.Errorf("%+v", last)
		}
		for range 10 {
			b.tracker.Load([]health.Figure{{Name: health.CPU, Subject: health.WholeNode, Value: .1}})
			b.pass(time.Second)
		}
		if b.Shedding() || b.Refusing() {
			t.Error("still sheds")
		}
		if got := b.events(health.EventDecision); !slices.Contains(got, "load: the node should shed locally") || !slices.Contains(got, "load: nothing needs to be shed any more") {
			t.Errorf("events:\n%s", strings.Join(got, "\n"))
		}
	})
}

// TestEverythingAtOnce is for the race detector.
func TestEverythingAtOnce(t *testing.T) {
	b := newBench(t, www, dns)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { _ = b.Run(ctx) })
	for _, do := range []func(i int){
		func(int) { _ = b.Drain("www", 0, "x"); _ = b.Undrain("") },
		func(int) { b.Configure(options(), []routing.VIP{www}); b.Configure(options(), []routing.VIP{dns, www}) },
		func(int) { _ = b.text() },
		func(i int) { b.tracker.Servers("shop", i%3, 2, "down"); b.tracker.Request("shop") },
		func(i int) {
			b.tracker.SelfCheck("www", health.SelfCheck, []error{nil, nil, nil, nil, errors.New("no")}[i%5])
		},
		func(int) { b.tracker.Fill("shop", health.Fill{OK: true, FirstByte: time.Millisecond}) },
	} {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				do(i)
			}
		})
	}
	all.Wait()
	if err := b.Withdraw(t.Context(), "done"); err != nil || b.speaker.said() != "" {
		t.Errorf("%v, %s", err, b.speaker.said())
	}
}

// BenchmarkRound decides for 1,000 VIPs, each with its self check and two of 100 origins.
func BenchmarkRound(b *testing.B) {
	var h health.Options
	h.SetDefaults()
	tracker := health.NewTracker(h, nil)
	var vips []routing.VIP
	for i := range 1000 {
		name := fmt.Sprintf("vip-%d", i)
		vips = append(vips, routing.VIP{
			Name: name, SelfChecks: true, Origins: []string{fmt.Sprintf("origin-%d", i%100), fmt.Sprintf("origin-%d", (i+1)%100)},
			Prefixes: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)},
		})
		for range 3 {
			tracker.SelfCheck(name, health.SelfCheck, nil)
		}
		tracker.Servers(vips[i].Origins[0], i%2, 2, "connection refused")
	}
	c := routing.NewController(options(), nil, tracker, &speaker{}, nil, slog.New(slog.DiscardHandler))
	b.ReportAllocs()
	for b.Loop() {
		c.Configure(options(), vips)
	}
}
