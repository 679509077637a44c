package health_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anyedge/anyedge/health"
)

func seqs(events []health.Event) []uint64 {
	var list []uint64
	for _, e := range events {
		list = append(list, e.Seq)
	}
	return list
}

func TestJournalKeepsTheLast(t *testing.T) {
	j := health.NewJournal(3)
	if got := j.Since(0); len(got) != 0 {
		t.Errorf("empty: %v", got)
	}
	for i := range 5 {
		j.Add(health.EventRoute, "www", fmt.Sprint(i))
	}
	for _, c := range []struct {
		since uint64
		want  []uint64
	}{
		{0, []uint64{3, 4, 5}}, {2, []uint64{3, 4, 5}}, {3, []uint64{4, 5}}, {5, nil}, {99, nil},
	} {
		if got := seqs(j.Since(c.since)); !slices.Equal(got, c.want) {
			t.Errorf("since %d: %v, want %v", c.since, got, c.want)
		}
	}
	if e := j.Since(4)[0]; e.Text != "4" || e.Kind != health.EventRoute || e.Subject != "www" || e.Count != 1 || e.Time.IsZero() {
		t.Errorf("%+v", e)
	}
	tiny := health.NewJournal(0)
	tiny.Add(health.EventNode, "", "a")
	tiny.Add(health.EventNode, "", "b")
	if got := tiny.Since(0); len(got) != 1 || got[0].Text != "b" {
		t.Errorf("%v", got)
	}
}

func TestJournalCountsRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := health.NewJournal(100)
		for range 10 { // two kinds of failures, interleaved, ten times in 900 ms
			j.Add(health.EventFill, "shop", "connection_refused")
			j.Add(health.EventFill, "img", "connection_refused")
			time.Sleep(90 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond) // a second after the first
		j.Add(health.EventFill, "shop", "connection_refused")
		j.Add(health.EventConn, "shop", "connection_refused")
		var got []string
		for _, e := range j.Since(0) {
			got = append(got, fmt.Sprintf("%d %s %s %d", e.Seq, e.Kind, e.Subject, e.Count))
		}
		want := []string{"1 fill shop 10", "2 fill img 10", "3 fill shop 1", "4 conn shop 1"}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	})
}

// TestJournalStaysShort: Add compares with few events, however many different ones come in a second.
func TestJournalStaysShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := health.NewJournal(1000)
		j.Add(health.EventFill, "first", "x")
		for i := range 16 {
			j.Add(health.EventFill, fmt.Sprint(i), "x")
		}
		j.Add(health.EventFill, "first", "x")
		if got := len(j.Since(0)); got != 18 {
			t.Errorf("%d events", got)
		}
	})
}

func TestSubscribe(t *testing.T) {
	j := health.NewJournal(10)
	news, cancel := j.Subscribe()
	token := func() bool {
		select {
		case <-news:
			return true
		default:
			return false
		}
	}
	if token() {
		t.Error("a token before any event")
	}
	j.Add(health.EventNode, "", "a")
	j.Add(health.EventNode, "", "b")
	if !token() || token() {
		t.Error("want one token for two events")
	}
	j.Add(health.EventNode, "", "c")
	if !token() {
		t.Error("no token for the third")
	}
	cancel()
	cancel()
	j.Add(health.EventNode, "", "d")
	if token() {
		t.Error("a token after cancel")
	}
}

func TestNilJournal(t *testing.T) {
	var j *health.Journal
	j.Add(health.EventNode, "", "nothing happens")
	if got := j.Since(0); got != nil {
		t.Error(got)
	}
	news, cancel := j.Subscribe()
	cancel()
	select {
	case <-news:
		t.Error("a token")
	default:
	}
}

func TestJournalRace(t *testing.T) {
	j := health.NewJournal(16)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			news, cancel := j.Subscribe()
			defer cancel()
			for n := range 200 {
				j.Add(health.EventFill, fmt.Sprint(i), fmt.Sprint(n))
				j.Since(0)
				<-news // at least our own
			}
		})
	}
	all.Wait()
	got := seqs(j.Since(0))
	if len(got) != 16 || got[15] != 800 || !slices.IsSorted(got) {
		t.Errorf("%v", got)
	}
}

func BenchmarkJournalAdd(b *testing.B) {
	j := health.NewJournal(4096)
	b.ReportAllocs()
	for b.Loop() {
		j.Add(health.EventFill, "shop", "connection_refused")
	}
}
