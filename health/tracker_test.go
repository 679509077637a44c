package health_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/health"
)

func options() health.Options {
	var o health.Options
	o.SetDefaults()
	return o
}

// bench is a tracker in a bubble of virtual time.
type bench struct {
	*health.Tracker
	t       *testing.T
	journal *health.Journal
}

func inBubble(t *testing.T, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		j := health.NewJournal(100)
		f(&bench{health.NewTracker(options(), j), t, j})
	})
}

func (b *bench) fills(origin string, ok, failed int, latency time.Duration) {
	for range ok {
		b.Fill(origin, health.Fill{OK: true, FirstByte: latency, Server: "https://192.0.2.80"})
	}
	for range failed {
		b.Fill(origin, health.Fill{Server: "https://192.0.2.80", Detail: "connection_refused"})
	}
}

func (b *bench) signal(name health.SignalName, subject string) health.Signal {
	b.t.Helper()
	for _, s := range b.Signals(time.Now()) {
		if s.Name == name && s.Subject == subject {
			return s
		}
	}
	b.t.Fatalf("no %s of %s", name, subject)
	return health.Signal{}
}

// want checks one signal's text, which has its grade, value, thresholds and detail.
func (b *bench) want(name health.SignalName, subject string, g health.Grade, text string) {
	b.t.Helper()
	s := b.signal(name, subject)
	if s.Grade != g || s.String() != text {
		b.t.Errorf("%s: %s\nwant %s: %s", s.Grade, s, g, text)
	}
}

func (b *bench) events() []string {
	var texts []string
	for _, e := range b.journal.Since(0) {
		texts = append(texts, string(e.Kind)+" "+e.Subject+" "+e.Text)
	}
	return texts
}

// Beside a path that fails stands what its clients see of that: the cache may still answer.
func TestUnanswered(t *testing.T) {
	inBubble(t, func(b *bench) {
		there := func() bool {
			return slices.ContainsFunc(b.Signals(time.Now()), func(s health.Signal) bool { return s.Name == health.Unanswered })
		}
		for range 100 {
			b.Request("shop")
		}
		b.Unanswered("shop")
		b.Unanswered("nowhere")
		b.Servers("shop", 1, 1, "")
		if there() {
			t.Error("a path that is well has it")
		}
		b.Servers("shop", 0, 1, "connection refused")
		b.want(health.Unanswered, "shop", health.OK, "origin shop: unanswered 1% < warn 2% (1 of 100 requests got an error)")
		for range 9 {
			b.Unanswered("shop")
		}
		b.want(health.Unanswered, "shop", health.Warn, "origin shop: unanswered 10% >= warn 2% (10 of 100 requests got an error)")
		b.Servers("shop", 1, 1, "")
		if there() {
			t.Error("a path that is well again has it")
		}
	})
}

// A fill that got no connection is a failed one, and counts as what it is besides.
func TestConnectErrors(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.fills("shop", 60, 20, time.Millisecond)
		b.want(health.ConnectErrors, "shop", health.OK, "origin shop: connect_errors 0% < warn 2%")
		for range 20 {
			b.Fill("shop", health.Fill{Unconnected: true, Detail: "connection_refused"})
		}
		b.want(health.ConnectErrors, "shop", health.Crit, "origin shop: connect_errors 20% >= crit 20% (20 of 100 fills got no connection)")
		b.want(health.FillErrors, "shop", health.Crit, "origin shop: fill_errors 40% >= crit 20% (40 of 100 fills failed: connection_refused)")
		time.Sleep(11 * time.Second)
		b.want(health.ConnectErrors, "shop", health.Unknown, "origin shop: connect_errors 0 of 50 samples")
	})
}

func TestFillQueue(t *testing.T) {
	inBubble(t, func(b *bench) {
		for i := range 100 {
			b.Place("shop", i < 75)
			b.Place("nowhere", i < 75)
		}
		b.want(health.FillQueue, "shop", health.Warn, "origin shop: fill_queue 25% >= warn 20% (25 of 100 fills found all places taken)")
		for range 300 {
			b.Place("shop", false)
		}
		b.want(health.FillQueue, "shop", health.Crit, "origin shop: fill_queue 81.2% >= crit 80% (325 of 400 fills found all places taken)")
	})
}

func TestFillErrors(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.fills("shop", 29, 20, time.Millisecond)
		b.want(health.FillErrors, "shop", health.Unknown, "origin shop: fill_errors 49 of 50 samples (20 of 49 fills failed: https://192.0.2.80: connection_refused)")
		b.fills("shop", 1, 0, time.Millisecond)
		b.want(health.FillErrors, "shop", health.Crit, "origin shop: fill_errors 40% >= crit 20% (20 of 50 fills failed: https://192.0.2.80: connection_refused)")
		since := b.signal(health.FillErrors, "shop").Since

		time.Sleep(5 * time.Second)
		b.fills("shop", 70, 0, time.Millisecond)
		b.want(health.FillErrors, "shop", health.Crit, "origin shop: fill_errors 16.6%, crit until below 10% (20 of 120 fills failed: https://192.0.2.80: connection_refused)")
		if got := b.signal(health.FillErrors, "shop").Since; !got.Equal(since) {
			t.Errorf("still crit, but since %s", got)
		}
		time.Sleep(5 * time.Second) // the failures leave the window
		b.want(health.FillErrors, "shop", health.OK, "origin shop: fill_errors 0% < warn 2%")
		time.Sleep(10 * time.Second) // nothing is asked for any more
		b.want(health.FillErrors, "shop", health.Unknown, "origin shop: fill_errors 0 of 50 samples")

		want := []string{
			"signal shop unknown → crit: origin shop: fill_errors 40% >= crit 20% (20 of 50 fills failed: https://192.0.2.80: connection_refused)",
			"signal shop crit → ok: origin shop: fill_errors 0% < warn 2%",
		}
		if got := b.events(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("events:\n%s", strings.Join(got, "\n"))
		}
	})
}

func TestFillLatency(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.fills("shop", 95, 0, 100*time.Millisecond)
		b.fills("shop", 5, 100, 10*time.Second)
		s := b.signal(health.FillLatency, "shop")
		if s.Grade != health.OK || s.Value < .09 || s.Value > .11 || s.Samples != 100 {
			t.Errorf("%+v: failed fills have no first byte", s)
		}
		b.fills("shop", 20, 0, 3*time.Second)
		if s = b.signal(health.FillLatency, "shop"); s.Grade != health.Crit || s.Value < 2.6 || s.Value > 3.4 {
			t.Errorf("%+v", s)
		}
	})
}

func TestOriginProbe(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.Retain([]string{"shop"}, nil)
		b.want(health.OriginProbe, "shop", health.Unknown, "origin shop: origin_probe not measured")
		b.Servers("shop", 3, 3, "")
		b.want(health.OriginProbe, "shop", health.OK, "origin shop: origin_probe 0% < warn 34%")
		b.Servers("shop", 1, 3, "i/o timeout")
		b.want(health.OriginProbe, "shop", health.Warn, "origin shop: origin_probe 66.6% >= warn 34% (2/3 servers down: i/o timeout)")
		b.Servers("shop", 0, 3, "i/o timeout")
		b.want(health.OriginProbe, "shop", health.Crit, "origin shop: origin_probe 100% >= crit 100% (3/3 servers down: i/o timeout)")
		b.Servers("shop", 2, 3, "")
		b.want(health.OriginProbe, "shop", health.OK, "origin shop: origin_probe 33.3% < warn 34% (1/3 servers down)")
	})
}

func TestSelfCheck(t *testing.T) {
	refused := errors.New("connection refused")
	inBubble(t, func(b *bench) {
		for _, step := range []struct {
			err   error
			grade health.Grade
			text  string
		}{
			{refused, health.Unknown, "0 of 3 successes in a row (connection refused)"},
			{nil, health.Unknown, "1 of 3 successes in a row (connection refused)"},
			{nil, health.Unknown, "2 of 3 successes in a row (connection refused)"},
			{refused, health.Unknown, "0 of 3 successes in a row (connection refused)"},
			{nil, health.Unknown, "1 of 3 successes in a row (connection refused)"},
			{nil, health.Unknown, "2 of 3 successes in a row (connection refused)"},
			{nil, health.OK, "0 failures in a row < warn 1"},
			{refused, health.Warn, "1 failure in a row >= warn 1 (connection refused)"},
			{nil, health.OK, "0 failures in a row < warn 1"},
			{refused, health.Warn, "1 failure in a row >= warn 1 (connection refused)"},
			{refused, health.Warn, "2 failures in a row >= warn 1 (connection refused)"},
			{refused, health.Crit, "3 failures in a row >= crit 3 (connection refused)"},
			{refused, health.Crit, "4 failures in a row >= crit 3 (connection refused)"},
			{nil, health.Crit, "crit until 3 successes in a row, 1 so far (connection refused)"},
			{refused, health.Crit, "crit until 3 successes in a row, 0 so far (connection refused)"},
			{nil, health.Crit, "crit until 3 successes in a row, 1 so far (connection refused)"},
			{nil, health.Crit, "crit until 3 successes in a row, 2 so far (connection refused)"},
			{nil, health.OK, "0 failures in a row < warn 1"},
		} {
			b.SelfCheck("www", health.SelfCheck, step.err)
			b.want(health.SelfCheck, "www", step.grade, "VIP www: self_check "+step.text)
		}
	})
}

// A VIP with several addresses fails with a line for each; in tables and events a detail is one line.
func TestSelfCheckDetailIsOneLine(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.SelfCheck("www", health.SelfCheck, errors.Join(errors.New("refused"), errors.New("no answer")))
		b.want(health.SelfCheck, "www", health.Unknown, "VIP www: self_check 0 of 3 successes in a row (refused; no answer)")
	})
}

func TestSelfQUICOnlyWarns(t *testing.T) {
	inBubble(t, func(b *bench) {
		for range 10 {
			b.SelfCheck("www", health.SelfQUIC, errors.New("timeout: no recent network activity"))
		}
		b.want(health.SelfQUIC, "www", health.Warn, "VIP www: self_quic 10 failures in a row >= warn 3 (timeout: no recent network activity)")
		if s := b.signal(health.SelfQUIC, "www"); s.Threshold(s.Crit) != "none" {
			t.Errorf("crit %s", s.Threshold(s.Crit))
		}
		for range 2 {
			b.SelfCheck("www", health.SelfQUIC, nil)
		}
		b.want(health.SelfQUIC, "www", health.Warn, "VIP www: self_quic warn until 3 successes in a row, 2 so far (timeout: no recent network activity)")
		b.SelfCheck("www", health.SelfQUIC, nil)
		b.want(health.SelfQUIC, "www", health.OK, "VIP www: self_quic 0 failures in a row < warn 3")
		b.SelfCheck("www", health.SelfQUIC, errors.New("once"))
		b.want(health.SelfQUIC, "www", health.OK, "VIP www: self_quic 1 failure in a row < warn 3")
	})
}

func TestSignalsAreSorted(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.Retain([]string{"www", "api"}, []string{"www", "dns"})
		b.SelfCheck("www", health.SelfQUIC, nil)
		b.SelfCheck("www", health.SelfCheck, nil)
		var got []string
		for _, s := range b.Signals(time.Now()) {
			got = append(got, s.Subject+" "+string(s.Name))
		}
		want := "[api connect_errors api fill_errors api fill_latency api fill_queue api origin_probe" +
			" www connect_errors www fill_errors www fill_latency www fill_queue www origin_probe www self_check www self_quic]"
		if fmt.Sprint(got) != want {
			t.Errorf("%s", got)
		}
	})
}

func TestShares(t *testing.T) {
	inBubble(t, func(b *bench) {
		all := []string{"api", "img", "shop"}
		if got := b.Shares([]string{"img", "shop"}); got["img"] != .5 || got["shop"] != .5 {
			t.Errorf("without requests: %v", got)
		}
		for range 70 {
			b.Request("shop")
		}
		for range 30 {
			b.Request("img")
		}
		b.Request("other")
		if got := b.Shares(all); got["shop"] != .7 || got["img"] != .3 || got["api"] != 0 || len(got) != 3 {
			t.Errorf("%v", got)
		}
		time.Sleep(9 * time.Second)
		b.Request("api")
		if got := b.Shares(all); math.Abs(got["api"]-1./101) > 1e-9 {
			t.Errorf("%v", got)
		}
		time.Sleep(time.Second)
		if got := b.Shares(all); got["api"] != 1 {
			t.Errorf("10s later only the last request counts: %v", got)
		}
		time.Sleep(time.Minute)
		if got := b.Shares(all); got["api"] != got["shop"] {
			t.Errorf("long after: %v", got)
		}
		if got := b.Shares(nil); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
}

func TestRetain(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.fills("shop", 100, 0, time.Millisecond)
		b.fills("old", 100, 0, time.Millisecond)
		b.SelfCheck("www", health.SelfCheck, nil)
		b.SelfCheck("gone", health.SelfCheck, nil)
		b.Retain([]string{"shop", "new"}, []string{"www"})
		b.Fill("old", health.Fill{OK: true}) // requests under way while the origin was removed
		b.Request("old")
		b.Servers("old", 1, 1, "")
		b.SelfCheck("gone", health.SelfCheck, nil)
		subjects := map[string]int{}
		for _, s := range b.Signals(time.Now()) {
			subjects[s.Subject]++
		}
		if fmt.Sprint(subjects) != "map[new:5 shop:5 www:1]" {
			t.Errorf("%v", subjects)
		}
		if s := b.signal(health.FillErrors, "shop"); s.Samples != 100 {
			t.Errorf("shop has lost its samples: %+v", s)
		}
		b.Retain([]string{"old"}, nil)
		if s := b.signal(health.FillErrors, "old"); s.Samples != 0 {
			t.Errorf("old remembers: %+v", s)
		}
	})
}

func TestSetOptions(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.fills("shop", 90, 10, time.Millisecond)
		o := options()
		o.Signals.FillErrors.Crit = .05
		b.SetOptions(o)
		b.want(health.FillErrors, "shop", health.Crit, "origin shop: fill_errors 10% >= crit 5% (10 of 100 fills failed: https://192.0.2.80: connection_refused)")
		o.SelfCheck.Rise = 1
		b.SetOptions(o)
		b.SelfCheck("www", health.SelfCheck, nil)
		b.want(health.SelfCheck, "www", health.OK, "VIP www: self_check 0 failures in a row < warn 1")
	})
}

// TestChanged: there is a token after what may have changed a grade, and none after what can't have.
func TestChanged(t *testing.T) {
	inBubble(t, func(b *bench) {
		for _, step := range []struct {
			what string
			do   func()
			want bool
		}{
			{"a probe's first result", func() { b.Servers("shop", 2, 2, "") }, true},
			{"the same again", func() { b.Servers("shop", 2, 2, "") }, false},
			{"a server down", func() { b.Servers("shop", 1, 2, "") }, true},
			{"a fill", func() { b.fills("shop", 1, 1, 0) }, false},
			{"a request", func() { b.Request("shop") }, false},
			{"a self check that proves nothing yet", func() { b.SelfCheck("www", health.SelfCheck, nil) }, false},
			{"two more that do", func() { b.SelfCheck("www", health.SelfCheck, nil); b.SelfCheck("www", health.SelfCheck, nil) }, true},
			{"one more", func() { b.SelfCheck("www", health.SelfCheck, nil) }, false},
			{"a failure", func() { b.SelfCheck("www", health.SelfCheck, errors.New("no")) }, true},
			{"options", func() { b.SetOptions(options()) }, true},
			{"a reload", func() { b.Retain(nil, nil) }, true},
		} {
			step.do()
			got := false
			select {
			case <-b.Changed():
				got = true
			default:
			}
			if got != step.want {
				t.Errorf("%s: token %t", step.what, got)
			}
		}
	})
}

// TestClockSteps: a look at a time before the tracker was made, or long after, does no harm.
func TestClockSteps(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.fills("shop", 100, 0, time.Millisecond)
		for _, d := range []time.Duration{-1000 * time.Hour, 1000 * time.Hour, 0} {
			if got := len(b.Signals(time.Now().Add(d))); got != 5 {
				t.Errorf("%d signals", got)
			}
		}
	})
}

func TestSignalJSON(t *testing.T) {
	s := health.Signal{Name: health.SelfCheck, Subject: "www", Cause: health.Local, Unit: health.Failures, Grade: health.Crit, Crit: 3, Value: 3}
	b, err := json.Marshal(s)
	if err != nil || !strings.Contains(string(b), `"grade":"crit"`) {
		t.Errorf("%s, %v", b, err)
	}
	var back health.Signal
	if err := json.Unmarshal(b, &back); err != nil || back != s {
		t.Errorf("%+v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"grade":"awful"}`), &back); err == nil {
		t.Error("a grade that isn't")
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		unit  health.Unit
		value float64
		want  string
	}{
		{health.Ratio, 0, "0%"},
		{health.Ratio, .57, "57%"},
		{health.Ratio, .025, "2.5%"},
		{health.Ratio, 1, "100%"},
		{health.Ratio, .99999, "99.9%"}, // not as if it had reached 100%
		{health.Seconds, .0000123, "10µs"},
		{health.Seconds, .08, "80ms"},
		{health.Seconds, 1.2345, "1.23s"},
		{health.Seconds, 2, "2s"},
		{health.Seconds, 75, "1m15s"},
		{health.Failures, 0, "0 failures in a row"},
		{health.Failures, 1, "1 failure in a row"},
		{"fish", 2.5, "2.5"},
	} {
		if got := c.unit.Format(c.value); got != c.want {
			t.Errorf("%g %s: %q, want %q", c.value, c.unit, got, c.want)
		}
	}
	if got := health.Grade(9).String(); got != "grade(9)" {
		t.Error(got)
	}
}

func TestReportsRace(t *testing.T) {
	tr := health.NewTracker(options(), health.NewJournal(8))
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 500 {
				origin := fmt.Sprint("origin-", n%7)
				tr.Request(origin)
				tr.Fill(origin, health.Fill{OK: n%3 > 0, FirstByte: time.Duration(n) * time.Millisecond})
				tr.Servers(origin, n%2, 2, "down")
				tr.SelfCheck("www", health.SelfCheck, nil)
				if i == 0 && n%50 == 0 {
					tr.SetOptions(options())
					tr.Retain([]string{"origin-1", "origin-2"}, []string{"www"})
				}
				if i == 1 && n%20 == 0 {
					tr.Signals(time.Now())
					tr.Shares([]string{"origin-1", "origin-3"})
				}
			}
		})
	}
	all.Wait()
}

// TestReportsAllocateNothing: the data path reports each request.
func TestReportsAllocateNothing(t *testing.T) {
	tr := health.NewTracker(options(), nil)
	tr.Retain([]string{"shop"}, nil)
	if n := testing.AllocsPerRun(100, func() {
		tr.Request("shop")
		tr.Request("unknown")
		tr.Fill("shop", health.Fill{OK: true, FirstByte: time.Millisecond, Server: "https://192.0.2.80"})
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkRequest(b *testing.B) {
	tr := health.NewTracker(options(), nil)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			tr.Request("shop")
		}
	})
}

func BenchmarkFill(b *testing.B) {
	tr := health.NewTracker(options(), nil)
	f := health.Fill{OK: true, FirstByte: 20 * time.Millisecond}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			tr.Fill("shop", f)
		}
	})
}

// BenchmarkSignals grades 100 origins and 100 VIPs.
func BenchmarkSignals(b *testing.B) {
	tr := health.NewTracker(options(), nil)
	for i := range 100 {
		tr.Fill(fmt.Sprint("origin-", i), health.Fill{OK: true, FirstByte: time.Duration(i) * time.Millisecond})
		tr.SelfCheck(fmt.Sprint("vip-", i), health.SelfCheck, nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		tr.Signals(time.Now())
	}
}

// Over QUIC this node asks itself less often, so it takes longer until that no result comes says anything.
func TestQUICFallsSilentLater(t *testing.T) {
	inBubble(t, func(b *bench) {
		for range 3 {
			b.SelfCheck("www", health.SelfQUIC, nil)
		}
		time.Sleep(health.SelfQUICEvery*3*time.Second + 500*time.Millisecond)
		if s := b.signal(health.SelfQUIC, "www"); s.Grade != health.OK {
			t.Errorf("%s", s)
		}
		time.Sleep(time.Second)
		if s := b.signal(health.SelfQUIC, "www"); s.Grade != health.Warn {
			t.Errorf("%s", s)
		}
	})
}

// TestSelfCheckFallsSilent: a check that doesn't report warns after three intervals, and a grade that is worse stays.
func TestSelfCheckFallsSilent(t *testing.T) {
	for _, c := range []struct {
		results []error
		want    health.Grade
	}{
		{nil, health.Unknown},
		{[]error{nil}, health.Unknown},
		{[]error{nil, nil, nil}, health.Warn},
		{[]error{io.EOF, io.EOF, io.EOF}, health.Crit},
	} {
		synctest.Test(t, func(t *testing.T) {
			var o health.Options
			o.SetDefaults()
			tr := health.NewTracker(o, nil)
			for _, err := range c.results {
				tr.SelfCheck("www", health.SelfCheck, err)
			}
			before := tr.Signals(time.Now())
			time.Sleep(4 * time.Second) // three intervals and a timeout
			if got := tr.Signals(time.Now()); !reflect.DeepEqual(got, before) {
				t.Errorf("after 4s: %v, was %v", got, before)
			}
			time.Sleep(time.Second)
			for _, s := range tr.Signals(time.Now()) {
				if s.Grade != c.want || c.want == health.Warn && s.String() != "VIP www: self_check warn without a result (no result for 5s)" {
					t.Errorf("after 5s: %s: %s", s.Grade, s)
				}
			}
			tr.SelfCheck("www", health.SelfCheck, nil)
			if s := tr.Signals(time.Now())[0]; c.want == health.Warn && s.Grade != health.OK {
				t.Errorf("with a result again: %s", s.Grade)
			}
		})
	}
}

func TestLoadSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o health.Options
		o.SetDefaults()
		tr := health.NewTracker(o, nil)
		if got := tr.Signals(time.Now()); len(got) > 0 {
			t.Errorf("before anything was measured: %v", got)
		}
		for _, c := range []struct {
			name  health.SignalName
			value float64
			want  health.Grade
			text  string
		}{
			{health.CPU, .5, health.OK, "node: cpu 50% < warn 80%"},
			{health.CPU, .8, health.Warn, "node: cpu 80% >= warn 80%"},
			{health.CPU, .96, health.Crit, "node: cpu 96% >= crit 95%"},
			{health.CPU, .86, health.Crit, "node: cpu 86%, crit until below 85.5%"},
			{health.CPU, .85, health.Warn, "node: cpu 85% >= warn 80%"},
			{health.CPU, .73, health.Warn, "node: cpu 73%, warn until below 72%"},
			{health.CPU, .71, health.OK, "node: cpu 71% < warn 80%"},
			{health.AcceptDrops, 2, health.Warn, "node: accept_drops 2.0/s >= warn 1.0/s"},
			{health.Disk, 1, health.Warn, "node: disk 100% >= warn 95%"},
			{health.BGPSessions, .5, health.Warn, "node: bgp_sessions 50% >= warn 1%"},
		} {
			tr.Load([]health.Figure{{Name: c.name, Subject: "node", Value: c.value}})
			if s := tr.Signals(time.Now())[0]; s.Grade != c.want || s.String() != c.text {
				t.Errorf("%s: %s, want %s: %s", s.Grade, s, c.want, c.text)
			}
		}
		tr.Load([]health.Figure{{Name: health.CPU, Subject: "node", Value: .1}, {Name: health.Memory, Subject: "node", Value: .99}})
		time.Sleep(10 * time.Second)
		got := fmt.Sprint(tr.Signals(time.Now()))
		if want := "[node: cpu 10% at last, warn without a result (no result for 10s) node: memory 99% >= crit 97% (no result for 10s)]"; got != want {
			t.Errorf("silent: %s, want %s", got, want)
		}
	})
}

func TestLoadOptionsCheck(t *testing.T) {
	for _, c := range []struct {
		change func(*health.LoadOptions)
		want   string
	}{
		{func(*health.LoadOptions) {}, "[]"},
		{func(o *health.LoadOptions) { *o = health.LoadOptions{} }, "[accept_drops bandwidth bgp_sessions.warn connections cpu descriptors disk.warn interval memory]"},
		{func(o *health.LoadOptions) { o.CPU.Warn = 1 }, "[cpu]"},
		{func(o *health.LoadOptions) { o.Bandwidth.Capacity = -1 }, "[bandwidth.capacity]"},
		{func(o *health.LoadOptions) { o.Off = []health.SignalName{"disk", "self_check"} }, "[off[1]]"},
	} {
		var o health.LoadOptions
		o.SetDefaults()
		c.change(&o)
		var keys []string
		o.Check(func(key, _ string) { keys = append(keys, key) })
		slices.Sort(keys)
		if got := fmt.Sprint(keys); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
